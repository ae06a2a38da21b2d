"""Workers stop when their driver ends, dies or stops them."""

import os
import threading
from pathlib import Path

import pytest

from sweeps.execution.engines import pulse as module
from sweeps.execution.engines.pulse import Listener, pulse


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EVERY", 0.01)
    monkeypatch.setattr(module, "_LOOK", 0.01)


def wait(listener: Listener) -> bool:
    for _ in range(1000):
        if listener.has_ended():
            return True
        threading.Event().wait(0.01)
    return False


def test_workers_go_on_while_the_driver_does_and_stop_after_it(tmp_path: Path) -> None:
    path = tmp_path / "workers" / "pulse"
    with pulse(path, lambda: False):
        listener = Listener(path, patience=30)
        threading.Event().wait(0.1)
        assert not listener.has_ended()
    assert not path.exists() and wait(listener)
    assert Listener(path).has_ended()


def test_an_interruption_stops_the_workers_before_the_driver_ends(tmp_path: Path) -> None:
    stopped, path = threading.Event(), tmp_path / "pulse"
    with pulse(path, stopped.is_set):
        listener = Listener(path, patience=30)
        assert not listener.has_ended()
        stopped.set()
        assert wait(listener) and not path.exists()


def test_a_pulse_that_stands_still_is_that_of_a_dead_driver(tmp_path: Path) -> None:
    path = tmp_path / "pulse"
    path.write_text("")
    os.utime(path, (0, 0))  # the clocks of driver and worker may differ by years
    patient, listener = Listener(path, patience=30), Listener(path, patience=0.05)
    assert wait(listener) and path.exists()
    threading.Event().wait(0.02)
    assert not patient.has_ended()
