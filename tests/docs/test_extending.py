"""The files of examples/extending work from a folder outside the checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

import sweeps

FILES = ROOT / "examples" / "extending"
_OPTIONS = ("--config-dir", "conf")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, whose modules Python finds because commands start there."""
    copy = tmp_path_factory.mktemp("elsewhere") / "my_study"
    shutil.copytree(FILES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m ARGUMENTS` in the folder, with this checkout importable."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_experiment_runs_with_own_objective_penalty_and_transform(folder: Path) -> None:
    keys = ["experiment=peaks", "model=tiny", "penalty=brightness", "transform=mirror", "steps=3"]
    done = run(folder, "sweeps", *_OPTIONS, "-m", *keys, "hydra.sweep.dir=peaks")
    assert done.returncode == 0, done.stderr
    table = sweeps.load(folder / "peaks")
    assert len(table) == 8
    assert set(table["objective"]) == {"dot", "soft_peak"}
    assert set(table["penalty"]) == {"brightness"} and set(table["transform"]) == {"mirror"}
    assert sorted(table["objective_sharpness"].dropna().unique()) == [0, 1, 4]
    by_sharpness: Any = table[table["direction_index"] == 0].set_index("objective_sharpness")
    assert by_sharpness.loc[0, "initial_score"] < by_sharpness.loc[4, "initial_score"]


def test_functions_and_a_plain_dataclass_run_with_their_own_metric(folder: Path) -> None:
    keys = ["model=tiny", "objective=strongest", "transform=dim", "parameterization=stripes"]
    keys += ["metrics=colourful", "objective.softness=0.1,1", "steps=3"]
    done = run(folder, "sweeps", *_OPTIONS, "-m", *keys, "hydra.sweep.dir=functions")
    assert done.returncode == 0, done.stderr
    table = sweeps.load(folder / "functions")
    assert sorted(table["objective_softness"]) == [0.1, 1]
    assert table["program"].nunique() == 1 and (table["colourfulness"] > 0).all()
    assert "these columns are null" in done.stdout + done.stderr


def test_sharpness_zero_is_the_dot_product(folder: Path) -> None:
    keys = ["experiment=peaks", "model=tiny", "steps=1", "hydra.sweep.dir=equal"]
    done = run(folder, "sweeps", *_OPTIONS, "-m", *keys)
    assert done.returncode == 0, done.stderr
    table = sweeps.load(folder / "equal")
    dot = table[table["objective"] == "dot"].set_index("direction_index")["initial_score"]
    mean = table[table["objective_sharpness"] == 0].set_index("direction_index")["initial_score"]
    pd.testing.assert_series_equal(dot, mean, rtol=1e-5)


def test_own_model_and_source_run_and_the_model_can_be_the_judge(folder: Path) -> None:
    keys = ["model=two_layers", "direction=difference", "judge=two_layers", "steps=3"]
    done = run(folder, "sweeps", *_OPTIONS, *keys, "hydra.run.dir=own")
    assert done.returncode == 0, done.stderr
    (row,) = sweeps.load(folder / "own").to_dict("records")
    assert (row["model"], row["direction"]) == ("two_layers", "difference")
    assert (row["label"], row["kind"]) == ("shapes:0-1", "covector")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["objective=soft_peak", "objective.sharpness=-1"], "sharpness must be"),
        (["direction=difference", "direction.second=0"], "must differ"),
        (["model=two_layers", "judge=two_layer"], "did you mean"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(
    arguments: list[str], message: str, folder: Path
) -> None:
    model = [] if "model=two_layers" in arguments else ["model=tiny"]
    done = run(folder, "sweeps", *_OPTIONS, *model, *arguments, "hydra.run.dir=wrong")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and message in line
    assert not (folder / "wrong").exists()


def test_the_other_commands_see_the_same_options(folder: Path) -> None:
    model = [*_OPTIONS, "model=two_layers"]
    images = ["reference_images=generated", "reference_count=16"]
    layers = run(folder, "sweeps.layers", *model)
    assert layers.returncode == 0 and "shapes" in layers.stdout, layers.stderr
    statistics = run(folder, "sweeps.statistics", *model, *images)
    assert statistics.returncode == 0 and "shapes" in statistics.stdout, statistics.stderr
    keys = ["direction=difference", "objective=soft_peak,dot", "hydra.sweep.dir=ranking"]
    retrieve = run(folder, "sweeps.retrieve", *model, *images, *keys)
    assert retrieve.returncode == 0, retrieve.stderr
    ranking = pd.read_parquet(folder / "ranking" / "retrieval.parquet")
    assert set(ranking["objective"]) == {"soft_peak", "dot"}


def test_a_folder_that_does_not_exist_is_refused(folder: Path) -> None:
    done = run(folder, "sweeps.layers", "--config-dir", "nowhere", "model=tiny")
    assert done.returncode == 1 and "nowhere is no folder" in done.stderr
