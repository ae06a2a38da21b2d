"""Parquet files that show every change of a byte: the metadata hold a digest of the file.

Parquet's own checksums cover the pages alone. One flipped bit elsewhere, such as in a page's
header, may change numbers unnoticed. So the footer also holds the digest of the whole file, which
is computed while the digest's own place holds zeros.
"""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.storage.atomic import write_durably
from sweeps.storage.location import Location

_KEY = b"fvjax.sha256"
_EMPTY = b"0" * 64
_BETWEEN = 2  # bytes between key and value, in Thrift's compact protocol


class Unreadable(ValueError):
    """A file that is damaged or is no Parquet file; the message is the reason."""


def write_checked(table: pa.Table, path: Location) -> None:
    """Write a table durably and atomically, with checksums of its pages and of the file."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_KEY: _EMPTY})
    content = bytearray(sink.getvalue())
    content[_place(content)] = hashlib.sha256(content).hexdigest().encode()
    write_durably(path, content)


def read_checked(
    path: Location,
    wanted: Callable[[str], bool] = lambda name: True,
    *,
    whole: bool = True,
    digest_required: bool = True,
) -> pa.Table:
    """Read the wanted columns of a table.

    Args:
        path: the file.
        wanted: whether a column is read, by its name.
        whole: whether the digest of the file is verified, for which all of it is read. If not, only
            the pages of the wanted columns are read, and verified by their checksums.
        digest_required: whether a whole file without a digest, such as one written by pandas, is
            refused.

    Raises:
        Unreadable: the content is damaged.
        OSError: the file cannot be read at all.
    """
    verified = False
    with ExitStack() as opened:
        if whole:
            content = path.read_bytes()
            verified, source = _verify(content, digest_required), pa.BufferReader(content)
        else:  # Arrow opens a local file itself
            source = path if isinstance(path, Path) else opened.enter_context(path.open())
        return _read(source, wanted, verified)


def _read(source: Any, wanted: Callable[[str], bool], verified: bool) -> pa.Table:
    try:
        with pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=True) as file:
            return file.read([name for name in file.schema_arrow.names if wanted(name)])
    except FileNotFoundError:
        raise
    except Exception as error:  # of a damaged file without a digest, Arrow raises nearly anything
        if verified:  # the file is whole, so that the error has another cause, such as memory
            raise
        raise Unreadable(str(error).splitlines()[0] if str(error) else repr(error)) from error


def _verify(content: bytes, digest_required: bool) -> bool:
    """Return whether a file has a digest, which then fits its content."""
    place = _place(content)
    if content.rfind(_KEY) < 0:
        if digest_required:
            raise Unreadable(f"{len(content)} bytes without a checksum: the file is cut or foreign")
        return False
    digest = hashlib.sha256(memoryview(content)[: place.start])
    digest.update(_EMPTY)
    digest.update(memoryview(content)[place.stop :])
    if digest.hexdigest().encode() != content[place]:
        raise Unreadable("the checksum of the file does not fit its content")
    return True


def _place(content: bytes | bytearray) -> slice:
    """Return the place of the digest in a file."""
    start = content.rfind(_KEY) + len(_KEY) + _BETWEEN
    return slice(start, start + len(_EMPTY))
