"""`hydra.launcher.plan_only=true` prints what would run, and writes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

import sweeps

SWEEP = ("-m", "model=tiny", "objective=dot,cosine", "seed=0,1", "metrics=none", "steps=2")
WHERE = ("hydra.sweep.dir=sweep", "hydra.launcher.job_dirs=false")
ONLY = "hydra.launcher.plan_only=true"


def contents(folder: Path) -> dict[Path, float]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_programs_and_jobs_are_printed_and_nothing_is_written(
    app: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*SWEEP, *WHERE, ONLY) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("program ") for line in lines] == [1, 0, 0, 1, 0, 0, 0]
    assert "2 jobs of 2 steps, 1 batch of 2: " in lines[0] and lines[0].endswith("dot")
    assert lines[5].endswith("model=tiny objective=cosine seed=1 metrics=none steps=2")
    assert (
        lines[6] == "4 jobs: 4 to run, 0 finished before; 2 programs, 8 steps; nothing was written"
    )
    assert contents(tmp_path) == {}


@pytest.mark.slow
def test_a_resumed_sweep_shows_what_is_missing_and_stays_as_it_is(
    app: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app("-m", "model=tiny", "objective=dot", *SWEEP[3:], *WHERE) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    resume = "hydra.launcher.resume=true"
    assert app(*SWEEP, *WHERE, ONLY, resume) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("4 jobs: 2 to run, 2 finished before; 1 program")
    assert contents(tmp_path) == before
    shown = {line.split()[2] for line in lines if line.startswith("  job")}
    assert app(*SWEEP, *WHERE, resume) == 0
    table = sweeps.load(tmp_path / "sweep")
    assert shown == set(table["job_id"][table["objective"] == "cosine"])


def test_a_single_job_has_no_plan_to_show(
    app: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app("model=tiny", "steps=2", ONLY) == 1
    assert "add -m" in capsys.readouterr().err
    assert contents(tmp_path) == {}


def test_a_wrong_job_is_refused(app: Callable[..., int], tmp_path: Path) -> None:
    assert app(*SWEEP, "direction.index=999", *WHERE, ONLY) == 1
    assert contents(tmp_path) == {}
