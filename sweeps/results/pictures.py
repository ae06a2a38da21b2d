"""The pictures' files of a sweep, whose bytes the table holds too."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.storage.atomic import atomic_write

log = logging.getLogger(__name__)

PICTURES = "images"


def write_pictures(directory: Path, pictures: Iterable[Mapping[str, Any]]) -> None:
    """Write pictures (`bytes` and `path` within the directory), each atomically.

    The files are not synchronised with the disk: the table restores them.
    """
    for picture in pictures:
        (directory / PICTURES).mkdir(parents=True, exist_ok=True)
        with atomic_write(directory / picture["path"]) as partial:
            partial.write_bytes(picture["bytes"])


def restore_pictures(directory: Path, table: pa.Table) -> None:
    """Write the pictures of a table whose files are missing or have another size."""
    if "image" not in table.column_names or not pa.types.is_struct(table["image"].type):
        return
    paths = pc.struct_field(table["image"], "path").to_pylist()
    sizes = pc.binary_length(pc.struct_field(table["image"], "bytes")).to_pylist()
    lost = [  # a path elsewhere is none of ours
        place
        for place, (path, size) in enumerate(zip(paths, sizes, strict=True))
        if path is not None and PurePosixPath(path).parent == PurePosixPath(PICTURES)
        if _size(directory / path) != size
    ]
    write_pictures(directory, table["image"].take(pa.array(lost, pa.int64())).to_pylist())
    if lost:
        log.warning(f"{len(lost)} missing or damaged pictures were written again from the table")


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
