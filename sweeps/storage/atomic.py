"""Atomic writes, safe while other processes write the same file."""

import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sweeps.storage.location import Location
from sweeps.storage.url_path import URLPath


@contextmanager
def atomic_write(path: Location) -> Iterator[Path]:
    """Yield a temporary local path that replaces `path` on success and is deleted on error.

    A file at a URL gets the finished bytes in one request.
    """
    if isinstance(path, URLPath):
        with tempfile.TemporaryDirectory() as folder:
            partial = Path(folder) / path.name
            yield partial
            path.write(partial.read_bytes())
        return
    partial = path.with_suffix(f".{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.filename == str(partial):
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_durably(path: Location, content: bytes | bytearray) -> None:
    """Replace a file atomically; after the return, a power cut cannot lose the new content.

    Raises:
        OSError: the content cannot be written, such as on a full disk; `filename` is set.
    """
    if isinstance(path, URLPath):
        path.write(content)
        return
    try:
        with atomic_write(path) as partial, partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the rename, or the name may show an empty file
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_all(folder: Location, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, by name, each atomically; they are not synchronised with a disk.

    Raises:
        OSError: a file cannot be written.
    """
    if not contents:
        return
    if isinstance(folder, URLPath):
        folder.write_all(contents)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with atomic_write(folder / name) as partial:
            partial.write_bytes(content)


def move(path: Location, target: Location) -> None:
    """Move a file; at a URL it is copied, then deleted."""
    if isinstance(path, Path):
        path.replace(str(target))
        return
    write_durably(target, path.read_bytes())
    path.unlink(missing_ok=True)


@contextmanager
def local_copy(path: Location) -> Iterator[Path]:
    """Yield a local path of a finished file: of a URL, a copy that is deleted afterwards."""
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        yield copy


def _sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk; some file systems cannot, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
