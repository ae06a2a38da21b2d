"""The pictures' files of a sweep, whose bytes the table holds too."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.results.snapshots import SNAPSHOTS
from sweeps.storage.atomic import write_all
from sweeps.storage.location import Location, file_sizes

log = logging.getLogger(__name__)

PICTURES = "images"


def write_pictures(directory: Location, pictures: Iterable[Mapping[str, Any]]) -> None:
    """Write pictures (`bytes`, and `path` within the directory, in images/), each atomically.

    The files are not synchronised with the disk: the table restores them.
    """
    write_all(
        directory / PICTURES,
        {PurePosixPath(picture["path"]).name: picture["bytes"] for picture in pictures},
    )


def restore_pictures(directory: Location, table: pa.Table) -> None:
    """Write the pictures of a table whose files are missing or have another size."""
    restored, sizes_there = 0, file_sizes(directory / PICTURES)
    for pictures in _pictures(table):
        paths = pc.struct_field(pictures, "path").to_pylist()
        sizes = pc.binary_length(pc.struct_field(pictures, "bytes")).to_pylist()
        lost = [  # a path elsewhere is none of ours
            place
            for place, (path, size) in enumerate(zip(paths, sizes, strict=True))
            if path is not None and PurePosixPath(path).parent == PurePosixPath(PICTURES)
            if sizes_there.get(PurePosixPath(path).name) != size
        ]
        write_pictures(directory, pictures.take(pa.array(lost, pa.int64())).to_pylist())
        restored += len(lost)
    if restored:
        log.warning(f"{restored} missing or damaged pictures were written again from the table")


def _pictures(table: pa.Table) -> Iterator[Any]:
    """Yield the structs of final images, then those of snapshots."""
    columns = [table[name] for name in ("image", SNAPSHOTS) if name in table.column_names]
    for column in columns:
        pictures = pc.list_flatten(column) if pa.types.is_list(column.type) else column
        if pa.types.is_struct(pictures.type):
            yield pictures
