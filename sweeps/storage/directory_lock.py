"""The directory that a command writes into: its alone, and as it was if nothing comes of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"  # stays in a directory of results
RECORD = "multirun.yaml"  # Hydra's sweepers write it before the jobs are checked

_held: dict[Path, "Claim"] = {}  # by this process


class Claim:
    """A hold on one directory, and what it takes to leave the directory as it was."""

    def __init__(self, directory: Path) -> None:
        """Make the directory if need be and keep other processes out of it.

        Raises:
            ValueError: another process is in it, or it cannot be made.
        """
        self.directory = directory
        self.finish: Callable[[Path], None] | None = None
        self.made = [f for f in (directory, *directory.parents) if not f.exists()]
        self.lock = FileLock(directory / LOCK, timeout=0)
        self.before: set[str] = set()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.before = {path.name for path in directory.iterdir()}
            self.record = (directory / RECORD).read_bytes() if RECORD in self.before else None
            self.lock.acquire()
        except Timeout:
            raise ValueError(f"{directory} is being written by another process") from None
        except OSError as error:
            self._take_back()
            raise ValueError(f"cannot write into {directory}: {error.strerror}") from error

    def end(self, done: bool) -> None:
        """Finish and let go; unless all was done or results came, take back what was made."""
        try:
            if self.finish is not None:
                self.finish(self.directory)
            new = {path.name for path in self.directory.iterdir()} - self.before
            if not done and new <= {LOCK, RECORD}:
                for name in new:
                    (self.directory / name).unlink()
                if self.record is not None:
                    (self.directory / RECORD).write_bytes(self.record)
                self._take_back()
        finally:
            self.lock.release()

    def _take_back(self) -> None:
        """Remove the directories that this process made, while they are empty."""
        for folder in self.made:
            if folder.is_dir():
                if any(folder.iterdir()):
                    break
                folder.rmdir()


def claim(directory: Path, finish: Callable[[Path], None] | None = None) -> None:
    """Have a directory to oneself until `released` ends; it may be held already.

    Args:
        directory: made if need be.
        finish: called with the directory before it is let go, whatever has happened.

    Raises:
        ValueError: another process is in it, or it cannot be written into.
    """
    known = directory.resolve()
    if known not in _held:
        _held[known] = Claim(directory)
    if finish is not None:
        _held[known].finish = finish


@contextmanager
def released() -> Iterator[None]:
    """At the end no claim is left, and after an error no trace of a directory without results."""
    done = False
    try:
        yield
        done = True
    finally:
        while _held:
            _held.popitem()[1].end(done)
