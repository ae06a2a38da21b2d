"""The directory that a command writes into: its alone, and as it was if nothing comes of it."""

from collections.abc import Iterator
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
        """Let go; unless the command was done or has left results, take back what it made."""
        new = {path.name for path in self.directory.iterdir()} - self.before
        if not done and new <= {LOCK, RECORD}:
            for name in new:
                (self.directory / name).unlink()
            if self.record is not None:
                (self.directory / RECORD).write_bytes(self.record)
            self._take_back()
        self.lock.release()

    def _take_back(self) -> None:
        """Remove the directories that this process made, while they are empty."""
        for folder in self.made:
            if folder.is_dir():
                if any(folder.iterdir()):
                    break
                folder.rmdir()


def claim(directory: Path) -> None:
    """Have a directory to oneself until `released` ends; again, if it is held already.

    Raises:
        ValueError: another process is in it, or it cannot be written into.
    """
    directory = directory.resolve()
    if directory not in _held:
        _held[directory] = Claim(directory)


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
