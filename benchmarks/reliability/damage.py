"""Faults of files: full and read-only disks, damaged, deleted and moved files, another clock."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from own_network import JOBS_ON_OWN_NETWORK, RATES, wild_rate
from place import FAULTS, Place, Seen, expect, fault
from tiny_sweep import JOBS, RESUME, compare, run

import sweeps


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
        expect(said, 1)
        expect(run(place.folder, *JOBS, RESUME), 1)  # the disk is still full
        _remount(place.swp, large)
        expect(place.resume(), 0)
        return place.compare(said, "to go on")


FAULTS["full disk"] = partial(_full, "size={}8k", "size=100m")
FAULTS["no inodes left"] = partial(_full, "nr_inodes=1{}", "nr_inodes=1000")


@fault("read-only directory")
def _read_only(place: Place, n: int) -> Seen:
    with _small_disk(place.swp, "size=100m"):
        shutil.copytree(place.half, place.swp, dirs_exist_ok=True)
        _remount(place.swp, "ro")
        said = place.resume()
        expect(said, 1)
        _remount(place.swp, "rw")
        expect(place.resume(), 0)
        return place.compare(said, "error")


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
    expect(said, 0)
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
    expect(said, 0)
    return place.compare(said, "written again", "jobs:")


@fault("directory moved")
def _moved(place: Place, n: int) -> Seen:
    shutil.copytree(place.half, place.folder / "elsewhere" / str(n))
    said = run(place.folder, *JOBS, RESUME, directory=f"elsewhere/{n}")
    expect(said, 0)
    return Seen(compare(place.folder / "elsewhere" / str(n), place.whole), said.line("jobs:"))


@fault("clock set back over a failed part")
def _clock(place: Place, n: int) -> Seen:
    jobs = (*JOBS_ON_OWN_NETWORK, f"learning_rate={RATES},{wild_rate(n)}")
    expect(run(place.folder, *jobs, directory="calm"), 0)
    (place.folder / "break").touch()
    expect(run(place.folder, *jobs), 0)
    assert sweeps.load(place.swp)["status"].eq("failed").sum() == 2
    (place.folder / "break").unlink()
    (place.swp / "parts").mkdir()
    (place.swp / "results.parquet").rename(place.swp / "parts" / "results-0001-early.parquet")
    os.utime(place.parts()[0], (2**32, 2**32))
    said = run(place.folder, *jobs, RESUME)
    expect(said, 0)
    return Seen(compare(place.swp, place.folder / "calm"), said.line("jobs:"))
