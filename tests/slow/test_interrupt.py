"""Ctrl-C, SIGTERM, SIGHUP: what is in flight is kept, and the process says how to go on."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sweeps
from sweeps.execution.interrupt import interruptible, leave_on_signals

PATIENCE = 60  # seconds, within which everything here ends on any machine


@pytest.fixture(autouse=True)
def _foreground() -> Iterator[None]:
    """Signals as at a terminal: of what runs in the background, shells and nohup ignore some."""
    handlers: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
    handlers |= {number: signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP)}
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeps", "-m", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def wait_for_part(process: subprocess.Popen[str], directory: Path) -> None:
    while not list(directory.glob("parts/results-*.parquet")) and process.poll() is None:
        threading.Event().wait(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_keeps_the_batches_in_flight(number: int, tmp_path: Path) -> None:
    where = ("hydra.sweep.dir=cut", "hydra.launcher.batch_size=2")
    process = start(tmp_path, "model=tiny", "steps=400", "seed=range(0,60)", *where)
    wait_for_part(process, tmp_path / "cut")
    before = len(sweeps.load(tmp_path / "cut"))
    process.send_signal(number)
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert (
        "interrupted: waiting for the segments in flight; " in errors and "Traceback" not in errors
    )
    assert "interrupted; cut keeps what is done; to go on: python -m sweeps -m model=tiny" in said
    assert "hydra.sweep.dir=cut hydra.launcher.resume=true" in said
    rows = sweeps.load(tmp_path / "cut")
    kept = list((tmp_path / "cut" / "checkpoints").glob("*.npz"))
    assert before <= len(rows) < 60 and (rows["status"] == "ok").all()
    assert kept or len(rows) > before  # a batch whose last segment was in flight has ended
    assert not (tmp_path / "cut" / "parts").exists() and "sheet.png" in said
    assert all((tmp_path / "cut" / str(job) / ".hydra").is_dir() for job in rows["job"])


def test_the_second_ctrl_c_ends_the_process_at_once(tmp_path: Path) -> None:
    process = start(
        tmp_path, "model=tiny", "steps=400,100000000", "metrics=none", "hydra.sweep.dir=cut"
    )
    wait_for_part(process, tmp_path / "cut")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "interrupted: waiting for the segments" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143 and len(sweeps.load(tmp_path / "cut")) == 1
    assert "cut keeps what is done; to go on: python -m sweeps -m model=tiny" in errors


_SLOW_NETWORK = """
import time
from pathlib import Path
from typing import Any

import fvjax


def network():
    Path("planning").touch()
    time.sleep(600)
    return fvjax.load("tiny")
"""


def test_a_signal_while_planning_ends_the_process_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(_SLOW_NETWORK)
    net = ("model=custom", "model._target_=mine.network", "model.default_layer=conv2")
    process = start(tmp_path, *net, "model.image_size=32", "hydra.sweep.dir=cut")
    while not (tmp_path / "planning").exists() and process.poll() is None:
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143 and "Traceback" not in errors
    assert "interrupted; nothing was written" in errors and not (tmp_path / "cut").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_signal_meant_before_it_means_again(number: int) -> None:
    before = signal.getsignal(number)
    with leave_on_signals(str):
        meant = signal.getsignal(number)
        with interruptible() as interrupted:
            assert not interrupted()
            signal.raise_signal(number)
            while not interrupted():  # the watcher is another thread
                threading.Event().wait(0.01)
            assert interrupted() == number
        assert signal.getsignal(number) is meant
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` ignores SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with leave_on_signals(str), interruptible() as interrupted:
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN and not interrupted()


def test_in_another_thread_ctrl_c_stays_as_it_is() -> None:
    handlers = []

    def work() -> None:
        with interruptible() as interrupted:
            handlers.extend([signal.getsignal(signal.SIGINT), interrupted()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler, 0]
