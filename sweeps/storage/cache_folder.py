"""The user's cache folder: writable by this user alone, of limited size, and never needed.

Compiled programs are code. Therefore a folder that another user could have written to is not used.
"""

import logging
import os
import stat
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_DAY = 86_400  # seconds after which a file that was never finished is deleted

log = logging.getLogger(__name__)


def cache_folder(name: str) -> Path | None:
    """Return a folder of this project in the user's cache, which is made for this user alone.

    If there is none that can be used, the result is None, and one warning says why.
    """
    try:
        given = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(given) if given else Path.home() / ".cache") / "fvjax"
    except RuntimeError:  # neither HOME nor an entry for this user
        warn_once("nothing is cached: HOME is not set")
        return None
    ours = all(is_usable(path, private=True) for path in (folder, folder / name))
    return folder / name if ours else None


@cache
def is_usable(folder: Path, private: bool = False) -> bool:
    """Return whether this user alone can write into a folder, which is made if it is absent.

    If not, one warning says why.

    Args:
        folder: the folder.
        private: whether other users' permissions to read it are taken away.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = _problem(folder)
        if problem is None and private:
            folder.chmod(0o700)
    except OSError as error:
        problem = f"{folder}: {error.strerror or error}"
    if problem is not None:
        warn_once(f"nothing is cached: {problem}")
    return problem is None


def is_safe(status: os.stat_result) -> bool:
    """Return whether a file or folder belongs to this user, and no other user may write it."""
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@cache
def warn_once(text: str) -> None:
    """Log a warning, once in a process."""
    log.warning(text)


def mark_used(path: Path) -> None:
    """Set a file's time of access, by which `evict` orders files."""
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def evict(folder: Path, pattern: str, max_bytes: int) -> None:
    """Delete the least recently used files until the rest fits; delete what was never finished.

    Raises:
        OSError: the folder cannot be written.
    """
    total, now = 0, time.time()
    found = [(path.stat(), path) for path in folder.glob(pattern) if path.is_file()]
    for status, path in sorted(found, key=lambda pair: -max(pair[0].st_atime, pair[0].st_mtime)):
        total += status.st_size
        if total > max_bytes:
            path.unlink(missing_ok=True)
    for path in folder.glob("*.partial"):
        if now - path.stat().st_mtime > _DAY:
            path.unlink(missing_ok=True)


def _problem(folder: Path) -> str | None:
    """Return why a folder cannot be used; None if it can."""
    status = folder.stat()
    if status.st_uid != os.getuid():
        return f"{folder} belongs to another user"
    if not is_safe(status):
        return f"other users may write into {folder} (chmod go-w {folder})"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written"
    is_open = bool(status.st_mode & (stat.S_IXGRP | stat.S_IXOTH))  # others reach the files
    with os.scandir(folder) as entries:
        for entry in entries:
            held = entry.stat(follow_symlinks=False)
            if held.st_uid != os.getuid():
                return f"{entry.path} belongs to another user (delete it)"
            if is_open and not entry.is_symlink() and not is_safe(held):
                return f"other users may write {entry.path} (delete it)"
    return None
