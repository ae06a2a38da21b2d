"""Unions of grids, as a function and through a real multirun."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from sweeps.config.grids import expand

ROOT = Path(__file__).parent.parent
APP = """
from pathlib import Path
import hydra

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config):
    with Path("jobs.txt").open("a") as file:
        file.write(f"{config.objective} {config.seed}\\n")
    if config.seed == 13:
        raise RuntimeError("unlucky")

main()
"""
FILES = {
    "config.yaml": """
defaults: [_self_, {objective: dot}, {experiment: null}, {override hydra/launcher: basic}]
seed: 0
hydra: {run: {dir: out}, sweep: {dir: out}}
""",
    "objective/dot.yaml": "{name: dot}",
    "objective/power.yaml": "{name: power, exponent: 2}",
    "experiment/union.yaml": """
# @package _global_
defaults: [{override /hydra/sweeper: grids}]
hydra:
  sweeper:
    grids:
      - {objective: dot}
      - {objective: power, objective.exponent: [1, 4]}
""",
}


def lines(*arguments: Any, **more: Any) -> list[str]:
    return [" ".join(job) for job in expand(*arguments, **more)]


def test_a_union_has_the_jobs_of_every_grid() -> None:
    grids = [{"objective": "dot"}, {"objective": "power", "objective.exponent": [1, 2.5]}]
    assert lines(grids, {}, []) == [
        "objective=dot",
        "objective=power objective.exponent=1",
        "objective=power objective.exponent=2.5",
    ]


def test_arguments_multiply_every_grid() -> None:
    assert lines([{"a": 1}, {"b": "2,3"}], {}, ["seed=0,1", "c='x y'"]) == [
        "a=1 seed=0 c='x y'",
        "a=1 seed=1 c='x y'",
        "b=2 seed=0 c='x y'",
        "b=2 seed=1 c='x y'",
        "b=3 seed=0 c='x y'",
        "b=3 seed=1 c='x y'",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, ["a=3"]),
        (None, ["a=null"]),
        (True, ["a=True"]),
        (1e-5, ["a=1e-05"]),
        ("range(0,3)", ["a=0", "a=1", "a=2"]),
        ("choice(x,y)", ["a=x", "a=y"]),
        ("'x,y'", ["a='x,y'"]),
        (["x", "range(0,2)", None], ["a=x", "a=0", "a=1", "a=null"]),
        ([[1, 2], [3]], ["a=[1,2]", "a=[3]"]),
        ({"x": 1, "y": [2]}, ["a={x:1,y:[2]}"]),
    ],
)
def test_values_of_a_grid_may_be_of_any_kind(value: Any, expected: list[str]) -> None:
    assert lines([{"a": value}], {}, []) == expected


def test_the_command_line_takes_the_place_of_what_a_grid_says() -> None:
    grids = [{"a": [1, 2], "b": 3}, {"b": 3}]
    assert lines(grids, {}, ["a=7"]) == ["a=7 b=3"]
    assert lines(grids, {}, ["++a=7", "b=4,5"]) == ["++a=7 b=4", "++a=7 b=5"]
    assert lines([{"+a": 1}], {}, ["~a"]) == ["~a=null"]


def test_params_hold_where_a_grid_does_not_name_the_key() -> None:
    assert lines([{"a": 1}, {"a": 2, "seed": 9}], {"seed": "0,1"}, []) == [
        "seed=0 a=1",
        "seed=1 a=1",
        "seed=9 a=2",
    ]


def test_another_option_takes_the_keys_of_its_group_with_it() -> None:
    grids = [{"a": 1, "objective": "power", "objective.exponent": [1, 2]}]
    assert lines(grids, {}, ["objective=dot"]) == ["a=1 objective=dot"]
    assert lines(grids, {}, ["objective=power"]) == [
        "a=1 objective=power objective.exponent=1",
        "a=1 objective=power objective.exponent=2",
    ]
    assert lines(grids, {}, ["objective=dot", "objective.exponent=3"]) == [
        "a=1 objective=dot objective.exponent=3"
    ]


def test_equal_jobs_are_one_job() -> None:
    grids = [{"a": [1, 2], "b": 1}, {"b": 1, "a": [2, 3]}]
    assert lines(grids, {}, []) == ["a=1 b=1", "a=2 b=1", "b=1 a=3"]


def test_without_grids_there_is_one_product() -> None:
    assert lines([], {"a": "1,2"}, ["b=3"]) == ["a=1 b=3", "a=2 b=3"]
    assert lines([], {}, []) == [""]


def test_a_grid_needs_separate_values() -> None:
    with pytest.raises(ValueError, match="interval"):
        expand([{"a": "interval(0,1)"}], {}, [])
    with pytest.raises(ValueError, match="at least one value"):
        expand([{"a": []}], {}, [])
    with pytest.raises(ValueError, match=r"seed must have at least one value, got seed=range"):
        expand([{"a": 1}], {}, ["seed=range(0,0)"])


def test_hydra_finds_both_plugins_and_no_module_hides_others() -> None:
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists()
    plugins = Plugins.instance()
    assert "FusedLauncher" in [plugin.__name__ for plugin in plugins.discover(Launcher)]
    assert "GridsSweeper" in [plugin.__name__ for plugin in plugins.discover(Sweeper)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "conf" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "conf" / name).write_text(text)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def multirun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_multirun_runs_the_union(folder: Path) -> None:
    done = multirun(folder, "experiment=union", "seed=range(0,2)")
    assert done.returncode == 0, done.stderr
    assert (folder / "jobs.txt").read_text().splitlines() == [
        "{'name': 'dot'} 0",
        "{'name': 'dot'} 1",
        "{'name': 'power', 'exponent': 1} 0",
        "{'name': 'power', 'exponent': 1} 1",
        "{'name': 'power', 'exponent': 4} 0",
        "{'name': 'power', 'exponent': 4} 1",
    ]
    assert done.stdout.count("Launching") == 1
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["0", "1", "2", "3", "4", "5", "multirun.yaml"]


def test_a_sweep_fails_when_no_job_came_through(folder: Path) -> None:
    done = multirun(folder, "hydra/sweeper=grids", "seed=13,1")
    assert done.returncode == 0
    assert len((folder / "jobs.txt").read_text().splitlines()) == 2
    done = multirun(folder, "hydra/sweeper=grids", "seed=13")
    assert done.returncode == 1 and "all 1 jobs failed: unlucky" in done.stderr


@pytest.mark.slow
def test_a_wrong_grid_leaves_nothing_behind(folder: Path) -> None:
    done = multirun(folder, "hydra/sweeper=grids", "hydra.sweeper.grids=[{a:1}]")
    assert done.returncode == 1 and "Could not override 'a'" in done.stderr
    assert not (folder / "out").exists()


def test_two_unions_multiply() -> None:
    worlds: list[dict[str, Any]] = [
        {"model.geometry": "orthogonal"},
        {"model.geometry": "skewed", "model.severity": [1, 2]},
    ]
    arms: list[dict[str, Any]] = [{"objective": ["dot", "cosine"]}]
    arms += [{"objective": "dot_cosine", "objective.exponent": 2}]
    jobs = expand(arms, {"seed": 0}, [], cross_with=worlds)
    assert len(jobs) == 3 * 3 and all("seed=0" in job for job in jobs)
    assert ["seed=0", "model.geometry=skewed", "model.severity=2", "objective=cosine"] in jobs
