"""One process at a time writes into a directory of results."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"  # the file's name; it stays


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes out of a directory.

    Raises:
        ValueError: another process is in it.
    """
    lock = FileLock(directory / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"{directory} is being written by another process") from None
    with lock:
        yield
