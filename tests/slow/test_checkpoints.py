"""Killed and interrupted sweeps go on within a batch, bit for bit; snapshots on disk."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import App
from PIL import Image

import sweeps
from sweeps.execution.checkpoints import CHECKPOINTS

PATIENCE = 600  # seconds, within which everything here ends on any machine
STEPS = 1000
SWEEP = (
    *(
        "-m",
        "model=tiny",
        "image_size=32",
        f"steps={STEPS}",
        "direction.index=0,1,2,3",
        "metrics=none",
    ),
    *("snapshots=[150,900]", "hydra.launcher.batch_size=2", "hydra.launcher.job_dirs=false"),
)


@pytest.fixture(autouse=True)
def _foreground() -> Iterator[None]:
    """Ctrl-C as at a terminal: of what runs in the background, shells ignore it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeps", *SWEEP, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def finish(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return said + errors


def step_of(path: Path) -> int:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        return int(json.loads(str(file["about"]))["step"])


def wait_for_checkpoint(process: subprocess.Popen[str], directory: Path, least: int) -> int:
    """Wait until a checkpoint beyond a step is there, and return its step."""
    begin = time.monotonic()
    while process.poll() is None and time.monotonic() < begin + PATIENCE:
        for path in (directory / CHECKPOINTS).glob("*.npz"):
            try:
                if (step := step_of(path)) >= least:
                    return step
            except FileNotFoundError:  # its batch has ended meanwhile
                continue
        threading.Event().wait(0.01)
    raise AssertionError(f"no checkpoint: {process.communicate()}")


def assert_same(one: Path, other: Path) -> None:
    """All numbers, histories and pictures of two sweeps are equal, bit for bit."""
    tables = [sweeps.load(one), sweeps.load(other)]
    dropped = ["seconds", "compile_seconds", "attempt"]
    first, second = (t.drop(columns=dropped, errors="ignore") for t in tables)
    for name in first:
        assert [_plain(x) for x in first[name]] == [_plain(x) for x in second[name]], name
    pd.testing.assert_frame_equal(sweeps.load_history(one), sweeps.load_history(other))
    for path in sorted((one / "images").iterdir()):
        assert path.read_bytes() == (other / "images" / path.name).read_bytes()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(x) for x in value]
    return None if isinstance(value, float) and np.isnan(value) else value


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(folder, "hydra.sweep.dir=whole")
    return folder / "whole"


def test_a_killed_batch_goes_on_from_its_checkpoint(tmp_path: Path, undisturbed: Path) -> None:
    where = ("hydra.sweep.dir=cut", "hydra.launcher.checkpoint=100")
    process = start(tmp_path, *where)
    step = wait_for_checkpoint(process, tmp_path / "cut", 300)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL and 300 <= step < STEPS
    left = list((tmp_path / "cut" / CHECKPOINTS).glob("*.npz"))
    assert left and all(step_of(path) % 100 == 0 for path in left)
    said = finish(tmp_path, *where, "hydra.launcher.resume=true")
    assert "begin anew" not in said
    assert not (tmp_path / "cut" / CHECKPOINTS).exists()
    assert_same(tmp_path / "cut", undisturbed)


def test_ctrl_c_keeps_the_batch_in_flight_as_a_checkpoint(
    tmp_path: Path, undisturbed: Path
) -> None:
    where = ("hydra.sweep.dir=cut", "hydra.launcher.checkpoint=200")
    process = start(tmp_path, *where)
    wait_for_checkpoint(process, tmp_path / "cut", 200)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "hydra.launcher.resume=true" in said + errors and "Traceback" not in errors
    left = [step_of(path) for path in (tmp_path / "cut" / CHECKPOINTS).glob("*.npz")]
    # Where the last segments were in flight, the batches ended, and their rows are there instead.
    assert left or len(sweeps.load(tmp_path / "cut"))
    assert all(0 < step < STEPS for step in left)
    finish(tmp_path, "hydra.sweep.dir=cut", "hydra.launcher.resume=true")
    assert_same(tmp_path / "cut", undisturbed)


def test_snapshots_are_files_and_a_column(app: App, tmp_path: Path) -> None:
    tiny = ("-m", "model=tiny", "metrics=none", "hydra.launcher.job_dirs=false")
    assert app(*tiny, "steps=40,24", "snapshots=[0,16,24]", "hydra.sweep.dir=some") == 0
    results = sweeps.load(tmp_path / "some")
    assert list(results["steps_run"]) == [40, 24] and results["program"].nunique() == 1
    for _, row in results.iterrows():
        kept = {one["step"]: one for one in row["snapshot_images"]}
        assert list(kept) == [0, 16, 24]
        for step, one in kept.items():
            assert one["path"] == f"images/{row['job']}-step{step}.png"
            assert (tmp_path / "some" / one["path"]).read_bytes() == one["bytes"]
    images = [
        {one["step"]: one["bytes"] for one in row["snapshot_images"]}
        for _, row in results.iterrows()
    ]
    assert images[0][24] == images[1][24] == results["image"][1]["bytes"]
    assert np.asarray(Image.open(io.BytesIO(images[0][0]))).std() < 20  # the first image is grey


def test_stopped_jobs_say_how_far_they_ran(app: App, tmp_path: Path) -> None:
    quick = ("-m", "model=tiny", "objective=cosine", "transform=none", "steps=1000")
    stop = ("stop_when_converged=true,false", "metrics=none", "hydra.launcher.job_dirs=false")
    assert app(*quick, *stop, "hydra.sweep.dir=some") == 0
    results = sweeps.load(tmp_path / "some")
    stopped, whole = results["steps_run"]
    assert results["program"].nunique() == 1 and whole == 1000
    assert stopped < 1000 and stopped % 64 == 0
    lengths = sweeps.load_history(tmp_path / "some").groupby("job").size()
    assert list(lengths) == [stopped, 1000]
