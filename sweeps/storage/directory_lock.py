"""The directory that a command writes into: its alone, and as it was if nothing comes of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"  # stays in a directory of results
MULTIRUN_YAML = "multirun.yaml"  # Hydra's sweepers write it before the jobs are checked

_locks: dict[Path, "DirectoryLock"] = {}  # by this process


class DirectoryLock:
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
            self.record = (
                (directory / MULTIRUN_YAML).read_bytes() if MULTIRUN_YAML in self.before else None
            )
            self.lock.acquire()
        except Timeout:
            raise ValueError(f"{directory} is being written by another process") from None
        except OSError as error:
            self._remove_created()
            raise ValueError(f"cannot write into {directory}: {error.strerror}") from error

    def end(self, done: bool) -> None:
        """Finish and let go; unless all was done or results came, take back what was made."""
        try:
            if self.finish is not None:
                self.finish(self.directory)
            new = {path.name for path in self.directory.iterdir()} - self.before
            if not done and new <= {LOCK, MULTIRUN_YAML}:
                for name in new:
                    (self.directory / name).unlink()
                if self.record is not None:
                    (self.directory / MULTIRUN_YAML).write_bytes(self.record)
                self._remove_created()
        finally:
            self.lock.release()

    def _remove_created(self) -> None:
        """Remove the directories that this process made, while they are empty."""
        for folder in self.made:
            if folder.is_dir():
                if any(folder.iterdir()):
                    break
                folder.rmdir()


def acquire(directory: Path, finish: Callable[[Path], None] | None = None) -> None:
    """Have a directory to oneself until `released` ends; it may be held already.

    Args:
        directory: made if need be.
        finish: called with the directory before it is let go, whatever has happened.

    Raises:
        ValueError: another process is in it, or it cannot be written into.
    """
    known = directory.resolve()
    if known not in _locks:
        _locks[known] = DirectoryLock(directory)
    if finish is not None:
        _locks[known].finish = finish


@contextmanager
def release_all() -> Iterator[None]:
    """At the end no claim is left, and after an error no trace of a directory without results."""
    done = False
    try:
        yield
        done = True
    finally:
        while _locks:
            _locks.popitem()[1].end(done)
