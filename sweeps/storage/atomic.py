"""Atomic writes, safe while other processes write the same file."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` on success and is deleted on error."""
    partial = path.with_suffix(f".{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes | bytearray) -> None:
    """Replace a file atomically; after the return, a power cut cannot lose the new content.

    Raises:
        OSError: the content cannot be written, such as on a full disk; `filename` is set.
    """
    try:
        with atomic_write(path) as partial, partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the rename, or the name may show an empty file
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk; some file systems cannot, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
