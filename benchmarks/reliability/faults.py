"""The faults of a sweep that `make chaos` provokes, each as a function that compares what is left.

A fault of another kind is another function with the decorator `fault`, here or in a module that
`chaos.py` imports.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock
from tiny_sweep import (
    COUNT,
    JOBS,
    RESUME,
    ROOT,
    Compared,
    Said,
    compare,
    run,
    signalled,
    start,
)

import sweeps


@dataclass(frozen=True)
class Place:
    """A folder for one fault, with copies of what an undisturbed sweep left.

    Attributes:
        folder: the working directory; the sweep's directory is `swp` in it.
        whole: the directory of the undisturbed sweep.
        half: the directory of a sweep that was killed after half of its parts.
    """

    folder: Path
    whole: Path
    half: Path

    @property
    def swp(self) -> Path:
        """The directory of the sweep."""
        return self.folder / "swp"

    def copy(self, source: Path) -> None:
        """Begin with a copy of a directory."""
        shutil.copytree(source, self.swp)

    def resume(self, *arguments: str) -> Said:
        """Resume the sweep."""
        return run(self.folder, *JOBS, RESUME, *arguments)

    def parts(self) -> list[Path]:
        """Return the parts, in the order of their names."""
        return sorted(self.swp.glob("parts/results-*.parquet"))

    def compare(self, said: Said, *words: str) -> "Seen":
        """Compare the sweep with the undisturbed one."""
        return Seen(compare(self.swp, self.whole), said.line(*words))


@dataclass(frozen=True)
class Seen:
    """What a fault left after the resume, and what the disturbed command said."""

    compared: Compared
    message: str


Fault = Callable[[Place, int], Seen]
FAULTS: dict[str, Fault] = {}
_GO_ON = ("to go on",)


def fault(name: str) -> Callable[[Fault], Fault]:
    """Enter a function into the table under a name; its number says which time it is provoked."""

    def enter(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return enter


def _signal(number: signal.Signals, event: str, status: int, place: Place, n: int) -> Seen:
    said = signalled(place.folder, number, event, n + 1, *JOBS)
    _expect(said, status)
    _expect(place.resume(), 0)
    return place.compare(said if status > 0 else Said(status, ""), *_GO_ON)


for _name, _number, _event, _status in [
    ("SIGKILL before a part is renamed", signal.SIGKILL, "replace", -9),
    ("SIGKILL before a part is synchronised", signal.SIGKILL, "fsync", -9),
    ("SIGKILL between the files of a consolidation", signal.SIGKILL, "unlink", -9),
    ("SIGTERM", signal.SIGTERM, "replace", 143),
    ("SIGINT", signal.SIGINT, "replace", 130),
    ("SIGHUP", signal.SIGHUP, "replace", 129),
]:
    FAULTS[_name] = partial(_signal, _number, _event, _status)


@contextmanager
def _small_disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system of a limited size; needs root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def _full(small: str, large: str, place: Place, n: int) -> Seen:
    with _small_disk(place.swp, small.format(n + 1)):
        said = run(place.folder, *JOBS)
        _expect(said, 1)
        _expect(run(place.folder, *JOBS, RESUME), 1)  # the disk is still full
        _remount(place.swp, large)
        _expect(place.resume(), 0)
        return place.compare(said, *_GO_ON)


FAULTS["full disk"] = partial(_full, "size={}8k", "size=100m")
FAULTS["no inodes left"] = partial(_full, "nr_inodes=1{}", "nr_inodes=1000")


@fault("read-only directory")
def _read_only(place: Place, n: int) -> Seen:
    with _small_disk(place.swp, "size=100m"):
        shutil.copytree(place.half, place.swp, dirs_exist_ok=True)
        _remount(place.swp, "ro")
        said = place.resume()
        _expect(said, 1)
        _remount(place.swp, "rw")
        _expect(place.resume(), 0)
        return place.compare(said, "error")


@fault("memory limit (address space)")
def _memory(place: Place, n: int) -> Seen:
    limit = (1500 + 300 * n) * 2**20
    said = start(place.folder, *JOBS, prefix=("-c", _LIMITED, str(limit)))
    if (place.swp / "multirun.yaml").exists():
        _expect(place.resume(), 0)
    else:
        _expect(run(place.folder, *JOBS), 0)  # it ended before the directory was there
    return place.compare(said, "emory", "alloc", "error")


_LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from fvjax_command import main
sys.exit(main(sys.argv[1:]))
"""


def _truncate(content: bytes, n: int) -> bytes:
    return content[: len(content) * (n + 1) // 7]


def _zero(content: bytes, n: int) -> bytes:
    begin = len(content) * (n + 1) // 7
    return content[:begin] + bytes(64) + content[begin + 64 :]


def _flip(content: bytes, n: int) -> bytes:
    place = len(content) * (2 * n + 1) // 13
    return content[:place] + bytes([content[place] ^ 1 << n % 8]) + content[place + 1 :]


def _damage(change: Callable[[bytes, int], bytes], merged: bool, place: Place, n: int) -> Seen:
    place.copy(place.whole if merged else place.half)
    path = place.swp / "results.parquet" if merged else place.parts()[n % len(place.parts())]
    path.write_bytes(change(path.read_bytes(), n))
    said = place.resume()
    _expect(said, 0)
    return place.compare(said, "cannot be read")


for _what, _merged in [("part", False), ("results.parquet", True)]:
    FAULTS[f"{_what} truncated"] = partial(_damage, _truncate, _merged)
    FAULTS[f"{_what} of zero bytes"] = partial(_damage, lambda content, n: b"", _merged)
    FAULTS[f"{_what} with a hole of zeros"] = partial(_damage, _zero, _merged)
    FAULTS[f"{_what} with a flipped bit"] = partial(_damage, _flip, _merged)


@fault("result deleted: part, table or picture")
def _deleted(place: Place, n: int) -> Seen:
    place.copy(place.half if n % 3 == 0 else place.whole)
    victims = (place.parts(), [place.swp / "results.parquet"], [place.swp / "images" / f"{n}.png"])
    victims[n % 3][0].unlink()
    said = place.resume()
    _expect(said, 0)
    return place.compare(said, "written again", "jobs:")


@fault("two drivers")
def _two_drivers(place: Place, n: int) -> Seen:
    place.copy(place.half)
    with FileLock(place.swp / ".lock"):  # as another process holds it
        said = place.resume()
    _expect(said, 1)
    _expect(place.resume(), 0)
    return place.compare(said, "error")


@fault("two drivers, the lock deleted")
def _unlocked(place: Place, n: int) -> Seen:
    place.copy(place.half)
    with FileLock(place.swp / ".lock"):
        (place.swp / ".lock").unlink()
        victim = ("-c", "from fvjax_command import main; import sys; sys.exit(main(sys.argv[1:]))")
        said = start(place.folder, *JOBS, RESUME, prefix=victim)
        other = place.resume()
    _expect(said, 0)
    _expect(other, 0)
    return place.compare(other, "jobs:")


@fault("stale lock of a killed process")
def _stale(place: Place, n: int) -> Seen:
    place.copy(place.half)
    assert (place.swp / ".lock").exists()
    said = place.resume()
    _expect(said, 0)
    return place.compare(said, "jobs:")


@fault("clock set back over a failed part")
def _clock(place: Place, n: int) -> Seen:
    jobs = (*_ON_OWN_NETWORK, f"learning_rate={_RATES},{_wild(n)}")
    _expect(run(place.folder, *jobs, directory="calm"), 0)
    (place.folder / "break").touch()
    _expect(run(place.folder, *jobs), 0)
    assert sweeps.load(place.swp)["status"].eq("failed").sum() == 2
    (place.folder / "break").unlink()
    (place.swp / "parts").mkdir()
    (place.swp / "results.parquet").rename(place.swp / "parts" / "results-0001-early.parquet")
    os.utime(place.parts()[0], (2**32, 2**32))
    said = run(place.folder, *jobs, RESUME)
    _expect(said, 0)
    return Seen(compare(place.swp, place.folder / "calm"), said.line("jobs:"))


@fault("weights changed before the resume")
def _weights(place: Place, n: int) -> Seen:
    jobs, path = (*_ON_OWN_NETWORK, f"learning_rate={_RATES}"), str(Path(__file__).parent)
    _expect(start(place.folder, *jobs, PYTHONPATH=path), 0)
    shutil.copytree(place.swp, place.folder / "before")
    (place.folder / "weights").write_text(str(n + 1))
    said = start(place.folder, *jobs, RESUME, "seed=0,1,2", PYTHONPATH=path)
    _expect(said, 1)
    return Seen(compare(place.swp, place.folder / "before"), said.line("error"))


@fault("default changed before the resume")
def _default(place: Place, n: int) -> Seen:
    place.copy(place.half)
    package = place.folder / "package"
    for name in ("sweeps", "conf"):
        shutil.copytree(ROOT / name, package / name)
    option = package / "conf" / "transform" / "standard.yaml"
    option.write_text(option.read_text().replace("rotation: 10.0", f"rotation: {11 + n}"))
    victim = ("-c", "from fvjax_command import main; import sys; sys.exit(main(sys.argv[1:]))")
    said = start(place.folder, *JOBS, RESUME, prefix=victim, PYTHONPATH=str(package))
    _expect(said, 1)
    _expect(place.resume(), 0)
    return place.compare(said, "error")


@fault("directory moved")
def _moved(place: Place, n: int) -> Seen:
    shutil.copytree(place.half, place.folder / "elsewhere" / str(n))
    said = run(place.folder, *JOBS, RESUME, directory=f"elsewhere/{n}")
    _expect(said, 0)
    return Seen(compare(place.folder / "elsewhere" / str(n), place.whole), said.line("jobs:"))


@fault("resumed with another batch size (equal up to rounding)")
def _batch_size(place: Place, n: int) -> Seen:
    place.copy(place.half)
    said = place.resume(f"hydra.launcher.batch_size={(2, 6, 8, 10, 12)[n % 5]}")
    _expect(said, 0)
    return Seen(compare(place.swp, place.whole, tolerance=1e-3), said.line("batches of"))


@fault("resumed with another number of devices (equal up to rounding)")
def _devices(place: Place, n: int) -> Seen:
    place.copy(place.half)
    devices = (1, 4, 1, 4, 1)[n % 5]
    said = start(place.folder, *JOBS, RESUME, JAX_NUM_CPU_DEVICES=str(devices), XLA_FLAGS="")
    _expect(said, 0)
    return Seen(compare(place.swp, place.whole, tolerance=1e-3), said.line("jobs:"))


@fault("a job of NaN")
def _nan(place: Place, n: int) -> Seen:
    said = run(place.folder, *JOBS, f"learning_rate=0.05,1e3{n + 4}")
    _expect(said, 0)
    wild = sweeps.load(place.swp).query("learning_rate > 1")
    assert len(wild) == COUNT and not wild["status"].eq("ok").any()
    compared = compare(place.swp, place.whole)
    return Seen(compared, said.line(" diverged ("))


@fault("an exception in a job")
def _exception(place: Place, n: int) -> Seen:
    jobs = _ON_OWN_NETWORK
    _expect(run(place.folder, *jobs, f"learning_rate={_RATES}", directory="calm"), 0)
    (place.folder / "break").touch()
    said = run(place.folder, *jobs, f"learning_rate={_wild(n)},{_RATES}")
    _expect(said, 0)
    assert sweeps.load(place.swp)["status"].eq("failed").sum() == 2, said.text
    return Seen(compare(place.swp, place.folder / "calm"), said.line(" failed ("))


_RATES = "0.05,0.04,0.03,0.02,0.01"


def _wild(n: int) -> str:
    """Return a learning rate that makes the picture infinite."""
    return f"1e3{n % 5 + 4}"


_ON_OWN_NETWORK = (
    *("model=custom", "model._target_=own_network.network", "model.default_layer=conv2"),
    *("model.image_size=32", "steps=3", "seed=0,1"),
    *("hydra.launcher.batch_size=4", "hydra.launcher.job_dirs=false"),
)


def _expect(said: Said, status: int) -> None:
    if said.status != status:
        raise AssertionError(f"exit status {said.status}, expected {status}:\n{said.text}")
