"""The quick composer gives what Hydra gives."""

import copy
import pickle
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, IntegerNode, OmegaConf

from sweeps.config import fast_compose
from sweeps.config.composed import Composed, Kind
from sweeps.config.fast_compose import Composer

FILES = {
    "config.yaml": """
defaults: [_self_, {model: tiny}, {objective: dot}, {optional penalty: null}]
layer: ${model.default_layer}
label: ${layer}-${seed}
seed: 0
rate: 0.05
name: null
sizes: [1, 2]
nested: {deep: {value: 1, text: a}}
when: ${now:%H%M%S%f}
""",
    "simple.yaml": """
defaults: [_self_, {model: tiny}, {objective: dot}, {optional penalty: null}]
layer: ${model.default_layer}
label: ${layer}
home: ${oc.env:HOME}/x
width: ${model.width}
seed: 0
rate: 0.05
name: null
sizes: [1, 2]
nested: {deep: {value: 1, text: "~/a"}}
""",
    "whole.yaml": """
defaults: [simple, _self_]
copy: ${nested}
""",
    "model/tiny.yaml": "{default_layer: conv1, width: 4}",
    "model/large.yaml": "{default_layer: mixed4a, width: 8}",
    "objective/dot.yaml": "{name: dot, power: 1}",
    "objective/cosine.yaml": "{name: cosine, power: 2, floor: 1e-3}",
    "penalty/total.yaml": "{weight: 1.0}",
}
PLAIN = {
    "model": ["tiny", "large"],
    "objective": ["dot", "cosine"],
    "seed": ["0", "7", "null"],
    "rate": ["1", "2.5", "1e-3", "inf", "true"],
    "layer": ["conv2", "'a b, c=d'", '"it\'s"', "'${model.width}'", "null", "''"],
    "nested.deep.value": ["3", "text"],
    "objective.power": ["1", "3"],
    "sizes.0": ["5", "6"],
    "name": ["x", "null", r"a\,b"],
}
SETS = [["model", "seed"], ["objective", "layer", "rate"], ["nested.deep.value", "name"]]
SETS += [["sizes.0", "layer"], ["objective.power"], ["name", "objective"]]
ODD = ["sizes=[3,4]", "sizes=[]", "+new=1", "++seed=9", "+nested.more={a:1,b:[2]}", "~name"]
ODD += ["~rate=0.05", "+penalty=total", "~objective", "nested.deep={value:2}", "model=[tiny]"]
ODD += ["hydra.job.name=other", "model@other=tiny", "hydra/job_logging=none"]


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with initialize_config_dir(config_dir=str(folder), version_base="1.3", job_name="job"):
        yield GlobalHydra.instance().config_loader()


def master(loader: Any, *overrides: str, name: str = "config") -> DictConfig:
    config: DictConfig = loader.load_configuration(name, list(overrides), RunMode.MULTIRUN)
    return config


def described(config: DictConfig) -> tuple[str, list[Any]]:
    """The text of a config, and the type and the flags of every node."""

    def walk(node: Any) -> Iterator[Any]:
        yield type(node), node._metadata.ref_type, node._metadata.object_type, node._metadata.flags
        content = node.__dict__["_content"]
        for child in content.values() if isinstance(content, dict) else ():
            yield from walk(child)
        for child in content if isinstance(content, list) else ():
            yield from walk(child)

    return OmegaConf.to_yaml(config), list(walk(config))


def composed(loader: Any, config: DictConfig, overrides: list[str]) -> Any:
    try:
        return described(loader.load_sweep_config(config, overrides))
    except Exception as error:
        return type(error), str(error), str(error.__cause__)


def test_any_overrides_are_composed_as_by_hydra(loader: Any) -> None:
    numbers = random.Random(0)
    composer, config = Composer(loader), master(loader, "hydra.job.chdir=false", "seed=5")
    for _ in range(60):
        overrides = [f"{key}={numbers.choice(PLAIN[key])}" for key in numbers.choice(SETS)]
        overrides += numbers.sample(ODD, numbers.choice([0, 0, 0, 1]))
        expected = composed(loader, config, overrides)
        assert composed(composer, config, overrides) == expected, overrides
    assert composer.quick > 15 and composer.slow > 15


def values(compose: Any, config: DictConfig, overrides: list[str]) -> Any:
    try:
        return Composed.of(compose(config, overrides))
    except Exception as error:
        return type(error), str(error), str(error.__cause__)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simple", "whole"])
def test_values_are_those_of_hydras_config(loader: Any, name: str) -> None:
    numbers = random.Random(1)
    composer, config = Composer(loader), master(loader, name=name)
    for _ in range(60):
        overrides = [f"{key}={numbers.choice(PLAIN[key])}" for key in numbers.choice(SETS)]
        overrides += numbers.sample(ODD, numbers.choice([0, 0, 0, 1]))
        expected = values(loader.load_sweep_config, config, overrides)
        assert values(composer.compose, config, overrides) == expected, overrides
    assert (composer.quick > 15) is (name == "simple")


def test_values_of_jobs_are_their_own(loader: Any) -> None:
    composer, config = Composer(loader), master(loader, name="simple")
    jobs = [composer.compose(config, [f"nested.deep.value={n}", "seed=1"]) for n in range(4)]
    assert [job.values["nested"]["deep"]["value"] for job in jobs] == [0, 1, 2, 3]
    assert jobs[3].overrides == ("nested.deep.value=3", "seed=1") and composer.quick == 2


def test_a_type_that_a_key_declares_is_checked_of_every_job(loader: Any) -> None:
    config = master(loader, name="simple")
    typed = OmegaConf.create({"seed": IntegerNode(0)})
    assert Kind(config, ["seed"]).is_simple
    config._set_item_impl("seed", typed._get_node("seed"))
    assert not Kind(config, ["seed"]).is_simple


def test_plain_overrides_are_composed_quickly(loader: Any) -> None:
    composer, config = Composer(loader), master(loader)
    for seed in range(4):
        for objective in ("dot", "cosine"):
            overrides = [
                f"objective={objective}",
                f"layer='x, {seed}'",
                f"nested.deep.value={seed}",
            ]
            assert composed(composer, config, overrides) == composed(loader, config, overrides)
    # Hydra composed the first job of each objective, and one more for the comparison.
    assert (composer.quick, composer.slow) == (5, 3)


def test_interpolations_are_kept_and_share_what_the_sweep_resolved(loader: Any) -> None:
    composer, config = Composer(loader), master(loader)
    resolved = config.when
    jobs = [composer.load_sweep_config(config, [f"seed={seed}"]) for seed in range(3)]
    assert composer.quick == 1
    assert OmegaConf.is_interpolation(jobs[2], "layer")
    assert jobs[2].label == "conv1-2"
    assert {job.when for job in jobs} == {resolved}


def test_jobs_do_not_share_state(loader: Any) -> None:
    composer, config = Composer(loader), master(loader)
    for _ in range(4):
        job = composer.load_sweep_config(config, ["seed=3"])
        assert job.sizes == [1, 2]
        job.sizes.append(3)


def test_another_master_config_is_another_base(loader: Any) -> None:
    composer = Composer(loader)
    for name in ("a", "b", "a", "b"):
        config = master(loader, f"hydra.job.name={name}")
        assert composer.load_sweep_config(config, ["seed=3"]).hydra.job.name == name


def test_a_key_that_differs_is_left_to_hydra(
    loader: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    composer, config = Composer(loader), master(loader)
    plain = master(loader, name="simple")
    wrong = master(loader, "rate=9")
    as_config = replace(fast_compose._AS_CONFIG, derive=lambda *_: copy.deepcopy(wrong))
    monkeypatch.setattr(fast_compose, "_AS_CONFIG", as_config)
    monkeypatch.setattr(Kind, "derive", lambda kind, *_: replace(kind.first, choices={}))
    for seed in range(3):
        assert composer.load_sweep_config(config, [f"seed={seed}"]).rate == 0.05
        assert composer.compose(plain, [f"seed={seed}"]).values["seed"] == seed
    assert composer.quick == 0
    assert "differs from Hydra" in caplog.text


def test_an_unknown_key_raises_hydras_error(loader: Any) -> None:
    composer, config = Composer(loader), master(loader)
    with pytest.raises(ConfigCompositionException, match="Could not override"):
        composer.load_sweep_config(config, ["objective.powr=1"])


@pytest.mark.parametrize("wrong", [["objective.powr={}"], ["objective=dott", "seed={}"]])
def test_what_is_not_there_is_looked_for_once(loader: Any, wrong: list[str]) -> None:
    composer, config = Composer(loader), master(loader)
    for value in range(3):
        overrides = [one.format(value) for one in wrong]
        kind, _, cause = composed(loader, config, overrides)
        found, text, found_cause = composed(composer, config, overrides)
        assert (found, found_cause) == (kind, cause) and wrong[0].partition("=")[0][:9] in text
    assert composer.slow == 1


def test_everything_else_is_the_loaders(loader: Any) -> None:
    composer = Composer(loader)
    assert composer.get_group_options("model") == ["large", "tiny"]
    assert pickle.loads(pickle.dumps(composer)).get_group_options("model") == ["large", "tiny"]


def test_the_fused_launcher_puts_the_composer_in_place(loader: Any) -> None:
    config = master(loader, "hydra/launcher=fused", "hydra.launcher.batch_size=4")
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    launcher: Any = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=print, config=config
    )
    assert isinstance(context.config_loader, Composer)
    assert (launcher.batch_size, launcher.resume) == (4, False)
    assert (launcher.context, launcher.task, launcher.config) == (context, print, config)
