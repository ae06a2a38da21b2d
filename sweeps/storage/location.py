"""Where results lie: in a local directory, or below a URL of any file system that fsspec knows."""

import os
import re
import uuid
from datetime import datetime
from pathlib import Path

from sweeps.storage.url_path import URLPath

Location = Path | URLPath

_URL = re.compile(r"([a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LOCAL = re.compile(r"(file|local)://", re.IGNORECASE)


def locate(place: str | Location) -> Location:
    """Return the location that a text names; nothing is read.

    Args:
        place: a local path, whose `~` is replaced, or a URL such as s3://bucket/folder.
    """
    if isinstance(place, URLPath):
        return place
    text = str(place)
    if _LOCAL.match(text):
        return Path(_LOCAL.sub("", text, count=1)).expanduser()
    return URLPath(text) if _URL.match(text) else Path(text).expanduser()


def file_sizes(folder: Location) -> dict[str, int]:
    """Return the size of each file in a folder, by name; nothing if there is no folder."""
    if isinstance(folder, URLPath):
        return folder.sizes()
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except OSError:
        return {}


def check_writable(location: Location) -> None:
    """Write a file below a URL and delete it, so that a sweep is refused before it computes.

    Of a local directory the lock is the check.

    Raises:
        ValueError: the URL cannot be written, in one sentence.
    """
    if isinstance(location, URLPath):
        try:
            server_time(location)
        except OSError as error:
            raise ValueError(f"cannot write into {location}: {error.strerror}") from error


def server_time(location: URLPath) -> datetime | None:
    """Return the time by the clock of the file system; None if it tells no times.

    A file is written for it, and deleted.

    Raises:
        OSError: nothing can be written.
    """
    probe = location / f".probe-{uuid.uuid4().hex[:12]}"
    probe.write(b"a probe of fvjax, which can be deleted")
    try:
        return modified(probe)
    finally:
        probe.unlink(missing_ok=True)


def modified(path: URLPath) -> datetime | None:
    """Return when a file was written, by the clock of its file system; None if it does not say.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        found: datetime = path.file_system.modified(path.key)
    except NotImplementedError:
        return None
    return found
