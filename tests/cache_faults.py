"""Faults of the cache, provoked between two equal runs: `python tests/cache_faults.py`.

The second run must end well, with the row and the picture of the first.
"""

import argparse
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sweeps

ROOT = Path(__file__).parents[1]
_HEAD = "## Faults of the cache"
_OF_CACHES = ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME")  # environment variables
_STRANGER = 12_345  # a user id that owns nothing
_JOB = ["model=tiny", "reference_images=generated", "reference_count=8", "steps=2", "seed=0"]
_JOB += ["transform=none", "judge=null"]
Environment = dict[str, str]


class Bomb:
    """A pickle that makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, Any]:
        return os.system, (f"touch {self.marker}",)


def _each(change: Callable[[random.Random, bytes], bytes]) -> Callable[..., None]:
    def fault(draw: random.Random, cache: Path, environment: Environment) -> None:
        for path in _files(cache):
            path.write_bytes(change(draw, path.read_bytes()))

    return fault


def _files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def _flipped(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


def _poison(draw: random.Random, cache: Path, environment: Environment) -> None:
    for path in _files(cache):
        path.write_bytes(pickle.dumps(Bomb(cache.parent / "poisoned")))


def _swap(draw: random.Random, cache: Path, environment: Environment) -> None:
    """Put every file's content under another name of the same kind."""
    for suffix in (".executable", ".npz"):
        files = [path for path in _files(cache) if path.suffix == suffix]
        contents = [path.read_bytes() for path in files]
        for path, content in zip(files, contents[1:] + contents[:1], strict=True):
            path.write_bytes(content)


def _open_folder(draw: random.Random, cache: Path, environment: Environment) -> None:
    (cache / "fvjax").chmod(0o777)


def _foreign_file(draw: random.Random, cache: Path, environment: Environment) -> None:
    for path in (cache / "fvjax", *(cache / "fvjax").iterdir()):
        held = [file for file in path.iterdir() if file.is_file()] or [path / "planted"]
        held[0].touch()
        os.chown(held[0], _STRANGER, _STRANGER)


def _foreign_folder(draw: random.Random, cache: Path, environment: Environment) -> None:
    os.chown(cache / "fvjax", _STRANGER, _STRANGER)


def _full(draw: random.Random, cache: Path, environment: Environment) -> None:
    full = cache.parent / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], check=True)
    environment["XDG_CACHE_HOME"] = str(full)


def _no_home(draw: random.Random, cache: Path, environment: Environment) -> None:
    environment.clear()
    environment["HOME"] = "/proc"  # where nobody can write


def _moved(draw: random.Random, cache: Path, environment: Environment) -> None:
    cache.rename(cache.parent / "moved")
    environment["XDG_CACHE_HOME"] = str(cache.parent / "moved")


def _none(draw: random.Random, cache: Path, environment: Environment) -> None:
    """Change nothing: the second run loads what the first one stored."""


FAULTS: dict[str, Callable[[random.Random, Path, Environment], None]] = {
    "none (for comparison)": _none,
    "every file cut in half": _each(lambda draw, data: data[: len(data) // 2]),
    "every file empty": _each(lambda draw, data: b""),
    "one bit flipped in every file": _each(_flipped),
    "every file a pickle that runs a command": _poison,
    "contents under other names": _swap,
    "folder writable by all": _open_folder,
    "files of another user": _foreign_file,
    "folder of another user": _foreign_folder,
    "disk full (tmpfs of 64 kB)": _full,
    "no folder can be made in HOME": _no_home,
    "folder moved": _moved,
}
AS_ROOT = ("files of another user", "folder of another user", "disk full (tmpfs of 64 kB)")


def prepare(folder: Path) -> None:
    """Run the job once; its results are then in `first`, and what it cached in `cache`."""
    (folder / "cache").mkdir()
    done = _run(folder / "first", {"XDG_CACHE_HOME": str(folder / "cache")})
    assert done.returncode == 0, done.stderr


def provoke(name: str, seed: int, prepared: Path) -> dict[str, Any]:
    """Run the job again after a fault; return exit status, equality, warnings and the marker."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(prepared / "cache", folder / "cache")
        environment = {"XDG_CACHE_HOME": str(folder / "cache")}
        FAULTS[name](random.Random(seed), folder / "cache", environment)
        try:
            done = _run(folder / "second", environment)
        finally:
            if (folder / "full").exists():
                subprocess.run(["umount", str(folder / "full")], check=True)
        said = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        equal = done.returncode == 0 and _equal(prepared / "first", folder / "second")
        ran = (folder / "poisoned").exists()
    warnings = [line for line in said if "nothing is cached" in line or "into the cache" in line]
    return {"exit": done.returncode, "equal": equal, "warnings": warnings, "ran": ran}


def _run(directory: Path, environment: Environment) -> subprocess.CompletedProcess[str]:
    others = {k: v for k, v in os.environ.items() if k not in _OF_CACHES}
    command = [sys.executable, "-m", "sweeps", *_JOB, f"hydra.run.dir={directory}"]
    return subprocess.run(
        command, env=others | environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def _equal(first: Path, second: Path) -> bool:
    rows = [sweeps.load(path).iloc[0] for path in (first, second)]
    names = [name for name in rows[0].index if "seconds" not in name]
    return all(str(rows[0][name]) == str(rows[1][name]) for name in names)


def main() -> int:
    """Provoke every fault several times, and write the table of docs/reliability.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reliability.md")
    chosen = parser.parse_args()
    lines = [
        f"{_HEAD}\n",
        "Written by `make cache-faults`: a job runs, the cache gets the fault, and the",
        "same job runs again. *Equal*: it ends well, with the row and the picture of the first,",
        "to the bit. *Code run*: a command that a poisoned file holds was executed.\n",
        "| fault | provoked | equal | ended badly | code run | warning |",
        "|---|---|---|---|---|---|",
    ]
    bad, prepared = 0, Path(tempfile.mkdtemp())
    prepare(prepared)
    for name in FAULTS:
        if name in AS_ROOT and os.getuid():
            continue
        found = [provoke(name, seed, prepared) for seed in range(chosen.times)]
        said = sorted({len(one["warnings"]) for one in found})
        counts = [sum(one["equal"] for one in found), sum(one["exit"] != 0 for one in found)]
        counts.append(sum(one["ran"] for one in found))
        bad += counts[0] != chosen.times or counts[1] + counts[2] > 0
        shown = " or ".join(map(str, said))
        lines.append(f"| {name} | {chosen.times} | {' | '.join(map(str, counts))} | {shown} |")
        print(lines[-1], found[0]["warnings"][:2], flush=True)
    shutil.rmtree(prepared)
    _write(chosen.out, "\n".join(lines) + "\n")
    return int(bad > 0)


def _write(path: Path, section: str) -> None:
    """Replace the section in a page, or add it."""
    text = path.read_text() if path.exists() else "# Reliability\n"
    before, _, after = text.partition(_HEAD)
    _, head, rest = after.partition("\n## ")
    path.write_text(before.rstrip() + "\n\n" + section + (f"{head}{rest}" if head else ""))


if __name__ == "__main__":
    sys.exit(main())
