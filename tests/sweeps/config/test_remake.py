"""The command that makes a picture again: it composes to the row's job, whatever the job was."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

import pytest
from conftest import App
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

import sweeps
from sweeps.config.paths import CONF
from sweeps.config.remake import Remake, command, written
from sweeps.planning.build import build

JOBS = [
    [],
    ["model=tiny", "steps=3"],
    ["model=tiny", "objective=dot", "penalty=orthogonal", "penalty.weight=0.5", "seed=7"],
    ["model=tiny", "objective.exponent=4", "objective.floor=0.25", "layer=conv1"],
    ["model=tiny", "direction=logit", "direction.index=1", "objective=cosine"],
    ["model=tiny", "direction=random", "position=center", "learning_rate=0.01"],
    ["model=tiny", "parameterization=pixels", "parameterization.learning_rate=0.2"],
    ["model=tiny", "image_size=24", "learning_rate=0.5"],
    ["model=tiny", "transform=none", "optimizer=sgd", "metrics=none"],
]


def composed(overrides: list[str]) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return loader.load_configuration("config", overrides, RunMode.RUN)


@pytest.mark.parametrize("overrides", JOBS, ids=" ".join)
def test_the_command_composes_to_the_row_s_job(overrides: list[str]) -> None:
    task = build(composed(overrides))
    # What a table does to a row: the layer is the one looked at, numbers are floats, 300 columns
    # of other jobs are null.
    row: dict[str, Any] = task.columns | {"layer": task.info.direction.layer}
    row = {k: float(v) if type(v) is int else v for k, v in row.items()}
    row |= {"penalty_of_others": math.nan, "dot": 1.5, "status": "ok", "label": "x"}
    again = Remake().overrides(row)
    assert build(composed(again)).job_id == task.job_id
    assert len(again) <= len(overrides) + 1  # nothing that the defaults say


def test_keys_that_the_configs_do_not_have_are_added() -> None:
    row = {"note": "two words", "objective": "dot", "objective_mine": 3.0, "model": "tiny"}
    told = Remake().overrides(row)
    assert "+note='two words'" in told and "+objective.mine=3" in told


@pytest.mark.parametrize(
    "value",
    [
        *("plain/path.jpg", "two words", "it's", "a,b=c", "back\\slash", "back\\'both", "", "true"),
        *("3", "[1,2]", '["a b",null]', "ends\\", "{weird", "$x", "ü", 2.0, 1e-12, 0.1, True, None),
    ],
)
def test_a_value_is_read_as_it_was(value: Any) -> None:
    note = composed([f"+note={written(value)}"])["note"]
    if isinstance(value, str) and value.startswith("["):  # a list, which a column has as JSON
        assert list(note) == json.loads(value)
    else:
        assert note == value


def test_a_shell_reads_the_command_as_it_is() -> None:
    overrides = ["+note='two words'", "layer=a/b"]
    assert shlex.split(command(overrides))[3:] == overrides
    assert shlex.split(command(overrides, "hydra.launcher.x=4"))[3:] == [
        "-m",
        *overrides,
        "hydra.launcher.x=4",
    ]


@pytest.mark.slow
def test_one_job_with_the_sweep_s_batch_size_has_its_bits(app: App, tmp_path: Path) -> None:
    assert app("-m", "model=tiny", "steps=40", "seed=range(0,7)", "hydra.sweep.dir=all") == 0
    results = sweeps.load(tmp_path / "all")
    column = "batch_size"
    row = results.iloc[5]
    assert row[column] > 2
    config = {str(name): value for name, value in row.items()}
    line = command(Remake().overrides(config), f"hydra.launcher.{column}={row[column]}")
    assert app(*shlex.split(line)[3:], "hydra.sweep.dir=one") == 0
    again = sweeps.load(tmp_path / "one").iloc[0]
    assert again["job_id"] == row["job_id"] and again[column] == row[column]
    assert again["image"]["bytes"] == row["image"]["bytes"]
