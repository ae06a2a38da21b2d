"""Ctrl-C: the batch in flight is kept, the process ends, and says how to go on."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import sweeps
from sweeps.execution.interrupt import interruptible

PATIENCE = 60  # seconds, within which everything here ends on any machine


@pytest.fixture(autouse=True)
def _foreground() -> Iterator[None]:
    """Ctrl-C as at a terminal: of what runs in the background, shells ignore it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeps", "-m", "model=tiny", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def wait_for_part(process: subprocess.Popen[str], directory: Path) -> None:
    while not list(directory.glob("parts/results-*.parquet")) and process.poll() is None:
        threading.Event().wait(0.05)


def test_the_first_ctrl_c_keeps_the_batches_in_flight(tmp_path: Path) -> None:
    where = ("hydra.sweep.dir=cut", "hydra.launcher.batch_size=2")
    process = start(tmp_path, "steps=400", "seed=range(0,60)", *where)
    wait_for_part(process, tmp_path / "cut")
    before = len(sweeps.load(tmp_path / "cut"))
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted: waiting for the batch in flight; press Ctrl-C again" in errors
    assert "hydra.sweep.dir=cut hydra.launcher.resume=true" in said and "Traceback" not in errors
    rows = sweeps.load(tmp_path / "cut")
    kept = list((tmp_path / "cut" / "checkpoints").glob("*.npz"))
    assert before <= len(rows) < 60 and (rows["status"] == "ok").all()
    assert kept or len(rows) > before  # a batch whose last segment was in flight has ended
    assert not (tmp_path / "cut" / "parts").exists() and "sheet.png" in said
    assert all((tmp_path / "cut" / str(job) / ".hydra").is_dir() for job in rows["job"])


def test_the_second_ctrl_c_ends_the_process_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, "steps=400,100000000", "metrics=none", "hydra.sweep.dir=cut")
    wait_for_part(process, tmp_path / "cut")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "interrupted: waiting for the batch" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and len(sweeps.load(tmp_path / "cut")) == 1


def test_what_ctrl_c_meant_before_it_means_again() -> None:
    with interruptible() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        while not interrupted():  # the watcher is another thread
            threading.Event().wait(0.01)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_in_another_thread_ctrl_c_stays_as_it_is() -> None:
    handlers = []

    def work() -> None:
        with interruptible() as interrupted:
            handlers.extend([signal.getsignal(signal.SIGINT), interrupted()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler, False]
