"""Exclusive locks on the directories that a command writes into.

Commands plan first and lock then, so a refused command changes nothing on disk.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"  # stays in a directory of results

_locks: dict[Path, FileLock] = {}
_finishers: dict[Path, Callable[[], None]] = {}
_written: list[Path] = []  # as the command names them, since the last `release_all` began


def acquire(directory: Path, finish: Callable[[Path], None] | None = None) -> None:
    """Lock a directory until `release_all` ends; a second call in this process keeps the lock.

    Args:
        directory: the directory, which is created if it does not exist.
        finish: called with the directory before the lock is released, also after an error.

    Raises:
        ValueError: another process holds the lock, or the directory cannot be written.
    """
    path = directory.resolve()
    if path not in _locks:
        lock = FileLock(directory / LOCK, timeout=0)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise ValueError(f"{directory} is being written by another process") from None
        except OSError as error:
            raise ValueError(f"cannot write into {directory}: {error.strerror}") from error
        _locks[path] = lock
        _written.append(directory)
    if finish is not None:
        _finishers[path] = partial(finish, directory)


def acquire_existing(directory: Path) -> None:
    """Lock a directory that an earlier command locked; leave any other directory unchanged.

    Raises:
        ValueError: another process holds the lock, or the directory cannot be written.
    """
    if (directory / LOCK).exists():
        acquire(directory)


def written_directories() -> list[Path]:
    """Return the directories that the present or the last command has locked."""
    return list(_written)


@contextmanager
def release_all() -> Iterator[None]:
    """Call each directory's `finish` and release all locks when the context ends."""
    _written.clear()
    try:
        yield
    finally:
        while _locks:
            path, lock = _locks.popitem()
            try:
                if path in _finishers:
                    _finishers.pop(path)()
            finally:
                lock.release()
