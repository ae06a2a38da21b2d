"""A directory belongs to one command, and a command that is refused leaves it as it was."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import App
from filelock import FileLock
from omegaconf import OmegaConf

import sweeps
from sweeps.launcher import plan_sweep
from sweeps.planning import plan
from sweeps.storage.directory_lock import LOCK

TINY = ("model=tiny", "steps=3")
RUN, SWEEP = ("hydra.run.dir=one",), ("-m", "hydra.sweep.dir=one")
BASIC = (*SWEEP, "hydra/sweeper=basic", "seed=0")
JOBS = (*SWEEP, "hydra/launcher=basic", "seed=0")


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Every file and directory, and what the files say; without locks."""
    found = (path for path in folder.rglob("*") if path.name != LOCK)
    return {path: path.read_bytes() if path.is_file() else None for path in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"), [(RUN, RUN), (SWEEP, SWEEP), (SWEEP, BASIC), (SWEEP, JOBS)]
)
def test_a_refused_command_leaves_results_as_they_are(
    first: tuple[str, ...], second: tuple[str, ...], app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*first, *TINY) == 0
    before = contents(Path("one"))
    assert app(*second, *TINY, "seed=1") == 1
    assert "holds" in capsys.readouterr().err
    assert contents(Path("one")) == before


@pytest.mark.parametrize("mode", [RUN, SWEEP, BASIC, JOBS])
@pytest.mark.parametrize("mistake", ["seed=3", "direction.index=999"])
def test_a_directory_in_which_another_process_works_is_left_alone(
    mode: tuple[str, ...], mistake: str, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (".hydra/config.yaml", "multirun.yaml"):
        (Path("one") / name).parent.mkdir(exist_ok=True, parents=True)
        (Path("one") / name).write_text("the other's")
    before = contents(Path("one"))
    with FileLock(Path("one") / LOCK):
        assert app(*mode, *TINY, mistake) == 1
    error = capsys.readouterr().err
    assert "one is being written by another process" in error or "from 0 to 15" in error
    assert contents(Path("one")) == before


@pytest.mark.slow
def test_a_sweep_that_another_overtook_while_it_was_planned_is_refused(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*SWEEP, *TINY, "seed=0", "hydra.sweep.dir=other") == 0

    def build_slowly(*arguments: Any) -> Any:
        shutil.copytree("other", "one", dirs_exist_ok=True)  # the other sweep ends meanwhile
        return plan.build_all(*arguments)

    monkeypatch.setattr(plan_sweep, "build_all", build_slowly)
    assert app(*SWEEP, *TINY, "seed=1") == 1
    assert "another sweep wrote its results into one" in capsys.readouterr().err
    assert sweeps.load(tmp_path / "one")["seed"].tolist() == [0]


@pytest.mark.parametrize("mode", [RUN, SWEEP])  # Hydra's own sweeper writes multirun.yaml first
@pytest.mark.parametrize("theirs", ["one/", "one/note.txt", "one/.hydra/config.yaml", "up/"])
def test_what_was_there_before_a_refused_command_is_there_after_it(
    mode: tuple[str, ...], theirs: str, app: App, tmp_path: Path
) -> None:
    (tmp_path / theirs).parent.mkdir(exist_ok=True, parents=True)
    if theirs.endswith("/"):
        (tmp_path / theirs).mkdir()
    else:
        (tmp_path / theirs).write_text("mine")
    before = contents(tmp_path)
    inside = [one.replace("=one", f"={theirs.split('/')[0]}") for one in mode]
    deeper = [one.replace("=one", f"={theirs.split('/')[0]}/a/b") for one in mode]
    for where in (inside, deeper):
        assert app(*where, *TINY, "direction.index=999") == 1
        assert contents(tmp_path) == before and not (tmp_path / "one" / LOCK).exists()


@pytest.mark.parametrize("mode", [("hydra.run.dir=.",), ("-m", "hydra.sweep.dir=.")])
def test_the_working_directory_is_never_removed(
    mode: tuple[str, ...], app: App, tmp_path: Path
) -> None:
    assert app(*mode, *TINY, "direction.index=999") == 1
    assert tmp_path.is_dir() and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_runs_that_start_in_one_second_have_directories_of_their_own(
    app: App, tmp_path: Path
) -> None:
    assert app(*TINY, "seed=1") == 0 and app(*TINY, "seed=2") == 0
    for one in tmp_path.glob("outputs/*/*"):
        config = OmegaConf.load(one / ".hydra" / "config.yaml")
        assert [config.seed] == list(sweeps.load(one)["seed"])
    assert len(sweeps.load(tmp_path / "outputs")) == 2


@pytest.mark.slow
def test_other_launchers_than_ours_run_the_jobs_one_by_one(app: App, tmp_path: Path) -> None:
    assert app(*JOBS, *TINY, "objective=dot,cosine") == 0
    assert list(sweeps.load(tmp_path / "one")["objective"]) == ["dot", "cosine"]


@pytest.mark.parametrize("mode", [("hydra.run.dir=",), ("-m", "hydra.sweep.dir=")])
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/no/folder"])
def test_a_directory_that_cannot_be_is_named(
    mode: tuple[str, ...], place: str, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert app(*mode[:-1], f"{mode[-1]}{place}", *TINY) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: cannot write into {place}: ")


@pytest.mark.slow
@pytest.mark.parametrize("mode", [RUN, SWEEP])
def test_a_full_disk_is_one_sentence(
    mode: tuple[str, ...],
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results.parquet")

    monkeypatch.setattr("sweeps.execution.run.write_part", full)
    assert app(*mode, *TINY) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: No space left on device: results.parquet; one keeps ")
    again = ("-m", *TINY, mode[1], "hydra.launcher.resume=true") if "-m" in mode else (*mode, *TINY)
    assert said.count("\n") == 1 and said.endswith(f": python -m sweeps {' '.join(again)}\n")


@pytest.mark.parametrize("name", ["parts", "images", "'images/${hydra.job.num}'"])
def test_jobs_do_not_go_where_results_go(
    name: str, app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*SWEEP, *TINY, f"hydra.sweep.subdir={name}") == 1
    assert "is where results go: choose another" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
