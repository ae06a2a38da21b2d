"""What is wrong on the command line is said in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, HydraException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from sweeps.config.errors import explain, run_cli

FILES = {
    "config.yaml": """
defaults: [_self_, {model: tiny}, {objective: dot}, {experiment: null}]
layer: ${model.default_layer}
steps: 10
must: ???
sizes: [1, 2]
hydra: {run: {dir: out}, sweep: {dir: out}}
""",
    "model/tiny.yaml": "{default_layer: conv1, width: 4}",
    "model/large.yaml": "{default_layer: mixed4a, width: 8}",
    "objective/dot.yaml": "{name: dot}",
    "objective/power.yaml": "{_target_: power, name: power, exponent: 2}",
    "objective/broken.yaml": "{name: [",
    "experiment/deep.yaml": "# @package _global_\nsteps: 100\n",
}
APP = """
import sys
from pathlib import Path
import hydra
from sweeps.config.errors import run_cli

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config):
    if config.steps == 13:
        raise ValueError("steps must not be 13:\\nseed=1\\nseed=2")
    if config.steps == 14:
        raise RuntimeError("a bug")
    print(config.must)

sys.exit(run_cli(main, Path(__file__).parent / "conf"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    for name, text in FILES.items():
        (folder / "conf" / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / "conf" / name).write_text(text)
    (folder / "app.py").write_text(APP)
    return folder


QUOTES = (
    "; write key=value, with quotes around a text that holds spaces, commas, brackets or quotes"
)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("stepz=3", "no key stepz: did you mean steps? allowed: experiment, layer, model, must, "
         "objective, sizes, steps"),
        ("model.wdth=3", "no key model.wdth: did you mean width? allowed: default_layer, width"),
        ("objective.exponnt=2", "no key objective.exponnt: did you mean exponent? allowed: "
         "exponent (of objective=power), name"),
        ("objective.exponent=2", "objective.exponent is a key of objective=power only"),
        ("width=3", "no key width: did you mean model.width? allowed: model.width"),
        ("exponent=3", "no key exponent: did you mean objective.exponent? allowed: "
         "objective.exponent"),
        ("steps.deep=3", "no key steps.deep: steps is a single value"),
        ("objectve=dot", "no key objectve: did you mean objective? allowed: experiment, layer, "
         "model, must, objective, sizes, steps"),
        ("objectve.name=dot", "no key objectve: did you mean objective? allowed: experiment, "
         "layer, model, must, objective, sizes, steps"),
        ("~stepz", "no key stepz: did you mean steps? allowed: experiment, layer, model, must, "
         "objective, sizes, steps"),
        ("hydra.run.dirr=x", "no key hydra.run.dirr: did you mean dir? allowed: dir"),
        ("model=tinny", "model has no option 'tinny': did you mean tiny? allowed: large, tiny"),
        ("model=zzzz", "model has no option 'zzzz': allowed: large, tiny"),
        ("model=[tiny,larg]", "model has no option 'larg': did you mean large? "
         "allowed: large, tiny"),
        ("hydra.job.num=x", "hydra.job.num=x: Value 'x' of type 'str' could not be converted "
         "to Integer"),
        ("sizes.7=1", "sizes.7=1: list index out of range"),
        ("a b=2", f"cannot read 'a b=2': unexpected ' b=2'{QUOTES}"),
        ("layer=[1", f"cannot read 'layer=[1': no viable alternative at input '[1'{QUOTES}"),
        ("steps=foo(1)", "cannot read 'steps=foo(1)': Unknown function 'foo' Available: "
         f"bool,choice,float,glob,int,interval,range,shuffle,sort,str,tag{QUOTES}"),
        ("steps=1,2", "steps=1,2 is several values: add -m for a sweep, or write [1,2] "
         "for a list"),
        ("+steps=3", "Could not append to config. An item is already at 'steps'. Either remove "
         "+ prefix: 'steps=3' Or add a second + to add or override 'steps': '++steps=3'"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_explained(folder: Path, override: str, sentence: str) -> None:
    with initialize_config_dir(config_dir=str(folder / "conf"), version_base="1.3"):
        with pytest.raises(Exception) as raised:
            compose("config", overrides=[override], return_hydra_config=True)
        assert explain(raised.value, folder / "conf") == sentence
        # The same error as the cause of another.
        outer = HydraException()
        outer.__cause__ = raised.value
        assert explain(outer, folder / "conf") == sentence


def test_a_choice_that_must_be_made_is_named(folder: Path) -> None:
    (folder / "conf" / "choose.yaml").write_text("defaults: [{model: '???'}]")
    with initialize_config_dir(config_dir=str(folder / "conf"), version_base="1.3"):
        with pytest.raises(ConfigCompositionException) as raised:
            compose("choose")
        sentence = "model must be chosen: allowed: large, tiny"
        assert explain(raised.value, folder / "conf") == sentence


def test_a_config_that_is_not_there_is_named(folder: Path) -> None:
    with initialize_config_dir(config_dir=str(folder / "conf"), version_base="1.3"):
        with pytest.raises(ConfigCompositionException) as raised:
            compose("absent")
        assert explain(raised.value, folder) == f"no config 'absent' in {folder}"


def test_values_that_cannot_be_read_are_named(folder: Path) -> None:
    config = OmegaConf.create({"must": "???", "inner": {"layer": "${model.layer}"}})
    for key, sentence in [
        ("must", "must has no value: give must=..."),
        ("inner.layer", "inner.layer: Interpolation key 'model.layer' not found"),
    ]:
        with pytest.raises(Exception) as raised:
            OmegaConf.select(config, key, throw_on_missing=True)
        assert explain(raised.value, folder) == sentence


def test_what_a_constructor_refuses_is_named_by_its_key(folder: Path) -> None:
    config = OmegaConf.create({"size": {"_target_": "builtins.range", "_args_": ["x"]}})
    config["sum"] = {"_target_": "math.fsum", "_args_": [[float("inf"), -float("inf")]]}
    with pytest.raises(Exception) as raised:
        instantiate(config.sum)
    assert explain(raised.value, folder) == "sum: -inf + inf in fsum"
    with pytest.raises(Exception) as raised:
        instantiate(config.size)
    sentence = "size: TypeError: 'str' object cannot be interpreted as an integer"
    assert explain(raised.value, folder) == sentence


def test_other_errors_are_named_by_their_type(folder: Path) -> None:
    assert explain(RuntimeError("one\ntwo"), folder) == "RuntimeError: one"
    assert explain(KeyError("a"), folder) == "KeyError: 'a'"
    assert explain(RuntimeError(), folder) == "RuntimeError"
    assert explain(ValueError("one\ntwo"), folder) == "one\ntwo"


def test_run_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    seen = []
    assert run_cli(lambda: seen.append(os.environ["HYDRA_FULL_ERROR"]), ".") == 0
    assert seen == ["1"] and "HYDRA_FULL_ERROR" not in os.environ


def start(folder: Path, *arguments: str, full: bool = False) -> tuple[int, str]:
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    if full:
        environment["HYDRA_FULL_ERROR"] = "1"
    command = [sys.executable, "app.py", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    return done.returncode, done.stderr


def test_the_application_prints_one_sentence(folder: Path) -> None:
    assert start(folder, "must=1") == (0, "")
    code, text = start(folder, "must=1", "model=tinny")
    assert code == 1
    assert text == "error: model has no option 'tinny': did you mean tiny? allowed: large, tiny\n"
    code, text = start(folder, "-m", "must=1", "objective=dot,power", "objective.exponent=1,2")
    assert (code, text) == (1, "error: objective.exponent is a key of objective=power only\n")


@pytest.mark.slow
def test_the_application_keeps_what_a_job_says(folder: Path) -> None:
    code, text = start(folder)
    assert code == 1 and text.endswith("\nerror: must has no value: give must=...\n")
    code, text = start(folder, "steps=13", "must=1")
    assert code == 1
    assert text.endswith("\nerror: steps must not be 13:\nseed=1\nseed=2\n")


def test_a_file_that_is_no_yaml_is_named(folder: Path) -> None:
    code, text = start(folder, "must=1", "objective=broken")
    assert code == 1 and text.startswith("error: while parsing") and "broken.yaml" in text


@pytest.mark.slow
def test_bugs_and_the_users_wish_show_the_traceback(folder: Path) -> None:
    code, text = start(folder, "steps=14", "must=1")
    assert code == 1 and "Traceback" in text and "RuntimeError: a bug" in text
    code, text = start(folder, "stepz=3", full=True)
    assert code == 1 and "Traceback" in text
