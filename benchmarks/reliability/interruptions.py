"""Faults of the process: signals, a limit of memory, two drivers and stale locks."""

import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from place import FAULTS, Place, Seen, expect, fault
from tiny_sweep import JOBS, RESUME, Said, run, signalled, start


def _signal(number: signal.Signals, event: str, status: int, place: Place, n: int) -> Seen:
    said = signalled(place.folder, number, event, n + 1, *JOBS)
    expect(said, status)
    expect(place.resume(), 0)
    return place.compare(said if status > 0 else Said(status, ""), "to go on")


for _name, _number, _event, _status in [
    ("SIGKILL before a part is renamed", signal.SIGKILL, "replace", -9),
    ("SIGKILL before a part is synchronised", signal.SIGKILL, "fsync", -9),
    ("SIGKILL between the files of a consolidation", signal.SIGKILL, "unlink", -9),
    ("SIGTERM", signal.SIGTERM, "replace", 143),
    ("SIGINT", signal.SIGINT, "replace", 130),
    ("SIGHUP", signal.SIGHUP, "replace", 129),
]:
    FAULTS[_name] = partial(_signal, _number, _event, _status)


@fault("memory limit (address space)")
def _memory(place: Place, n: int) -> Seen:
    limit = (1500 + 300 * n) * 2**20
    said = start(place.folder, *JOBS, prefix=("-c", _LIMITED, str(limit)))
    if (place.swp / "multirun.yaml").exists():
        expect(place.resume(), 0)
    else:
        expect(run(place.folder, *JOBS), 0)  # it ended before the directory was there
    return place.compare(said, "emory", "alloc", "error")


_LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from fvjax_command import main
sys.exit(main(sys.argv[1:]))
"""


def _start_two(place: Place) -> list[Said]:
    """Resume the sweep by two processes at once."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda _: start(place.folder, *JOBS, RESUME), range(2)))


@fault("two drivers")
def _two_drivers(place: Place, n: int) -> Seen:
    place.copy(place.half)
    return _one_came_through(place, _start_two(place), "being written by another process")


@fault("two drivers whose lock is deleted all the time")
def _unlocked(place: Place, n: int) -> Seen:
    place.copy(place.half)
    done = threading.Event()

    def delete() -> None:
        while not done.wait(0.01):
            (place.swp / ".lock").unlink(missing_ok=True)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(delete)
        said = _start_two(place)
        done.set()
    return _one_came_through(place, said, "error: ")  # one may find the other's parts gone


def _one_came_through(place: Place, drivers: Sequence[Said], refusal: str) -> Seen:
    """Compare the tables, unless both drivers failed or one did not say the refusal."""
    first, second = sorted(drivers, key=lambda one: one.status)
    expect(first, 0)
    assert second.status == 0 or refusal in second.text, second.text
    return place.compare(second, "error", "jobs:")


@fault("stale lock of a killed process")
def _stale(place: Place, n: int) -> Seen:
    place.copy(place.half)
    assert (place.swp / ".lock").exists()
    said = place.resume()
    expect(said, 0)
    return place.compare(said, "jobs:")
