"""Exclusive locks on the directories that a command writes into.

Commands plan first and lock then, so a refused command changes nothing on disk.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from filelock import FileLock, Timeout

from sweeps.storage.location import Location
from sweeps.storage.url_lock import Held, URLLock
from sweeps.storage.url_path import URLPath

LOCK = ".lock"  # stays in a directory of results; at a URL, a number follows

_locks: dict[Location, FileLock | URLLock] = {}
_finishers: dict[Location, Callable[[], None]] = {}
_written: list[Location] = []  # as the command names them, since the last `release_all` began


def acquire(directory: Location, finish: Callable[[Location], None] | None = None) -> None:
    """Lock a directory until `release_all` ends; a second call in this process keeps the lock.

    Args:
        directory: the directory, which is created if it does not exist.
        finish: called with the directory before the lock is released, also after an error.

    Raises:
        ValueError: another process holds the lock, or the directory cannot be written.
    """
    path = directory.resolve()
    if path not in _locks:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = _lock_of(directory)
            lock.acquire()
        except Timeout:
            raise ValueError(f"{directory} is being written by another process") from None
        except Held as holder:
            raise ValueError(f"{directory} is being written by another process: {holder}") from None
        except OSError as error:
            raise ValueError(f"cannot write into {directory}: {error.strerror}") from error
        _locks[path] = lock
        _written.append(directory)
    if finish is not None:
        _finishers[path] = partial(finish, directory)


def acquire_existing(directory: Location) -> None:
    """Lock a directory that an earlier command locked; leave any other directory unchanged.

    Raises:
        ValueError: another process holds the lock, or the directory cannot be written.
    """
    if any(directory.glob(f"{LOCK}*")):
        acquire(directory)


def require_lock(directory: Location) -> None:
    """Refuse to go on if another process has taken over the lock, which is possible at a URL.

    Raises:
        OSError: it has; the rows of this process stay where they are, as parts.
    """
    lock = _locks.get(directory.resolve())
    if isinstance(lock, URLLock) and not lock.is_held():
        raise OSError(
            errno.EBUSY,
            "another process has taken over and will write the table, since this one was silent "
            "for too long",
            str(directory),
        )


def written_directories() -> list[Location]:
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
            path, lock = next(reversed(_locks.items()))
            try:
                if path in _finishers:
                    finish = _finishers.pop(path)
                    require_lock(path)
                    finish()
            finally:
                del _locks[path]
                lock.release()


def _lock_of(directory: Location) -> FileLock | URLLock:
    if isinstance(directory, URLPath):
        return URLLock(directory)
    return FileLock(directory / LOCK, timeout=0)
