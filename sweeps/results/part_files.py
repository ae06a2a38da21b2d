"""The files of parts: their names, and their merging while a sweep runs.

A part is `parts/results-ATTEMPT-LEVEL-NAME.parquet`. The attempt counts the starts of the sweep.
The level says how often its rows were merged: each 64 parts of a level become one of the next, so
that a sweep of any length has few files, and its rows are written a few times.
"""

import re
import uuid
from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa

from sweeps.storage.checked_parquet import Unreadable, read_checked, write_checked
from sweeps.storage.location import Location, file_sizes

RESULTS, PARTS, BAD = "results", "parts", "bad"
_NAME = re.compile(rf"{RESULTS}-(\d+)-")
_MERGED = 64  # parts of a level that become one of the next
_MOST_BYTES = 2**28  # parts of more bytes together stay as they are: they are read into memory


def part_paths(directory: Location) -> list[Location]:
    """Return the paths of the parts, in the order of their attempts."""
    return sorted((directory / PARTS).glob(f"{RESULTS}-*.parquet"), key=order_of)


def order_of(path: Location) -> tuple[int, str]:
    """Return what sorts parts by their attempts."""
    return attempt_of(path), path.name


def attempt_of(path: Location) -> int:
    """Return the attempt that a part's name holds, 0 if there is none."""
    match = _NAME.match(path.name)
    return int(match[1]) if match else 0


def write_part_file(directory: Location, table: pa.Table, attempt: int, level: int = 0) -> None:
    """Write another part; merge the parts of its attempt and level if there are many.

    Raises:
        OSError: the part cannot be written.
    """
    folder = directory / PARTS
    folder.mkdir(parents=True, exist_ok=True)
    begin = f"{RESULTS}-{attempt:04d}-{level}-"
    write_checked(table, folder / f"{begin}{uuid.uuid4().hex[:12]}.parquet")
    sizes = file_sizes(folder)
    equal = sorted(name for name in sizes if name.startswith(begin) and name.endswith(".parquet"))
    if len(equal) >= _MERGED and sum(sizes[name] for name in equal) <= _MOST_BYTES:
        _merge(directory, [folder / name for name in equal], attempt, level + 1)


def _merge(directory: Location, paths: Sequence[Location], attempt: int, level: int) -> None:
    """Merge parts; each is deleted after its rows are durably written to another.

    A part that is damaged, or that another process has merged, is left alone.
    """
    tables = {}
    for path in paths:
        with suppress(FileNotFoundError, Unreadable):
            tables[path] = read_checked(path)
    for merged in _alike(tables):
        table = pa.concat_tables([tables[path] for path in merged], promote_options="default")
        write_part_file(directory, table, attempt, level)
        for path in merged:
            path.unlink(missing_ok=True)


def _alike(tables: dict[Location, pa.Table]) -> list[list[Location]]:
    """Return the tables whose columns have equal types, so that a merge changes no value.

    Integers in one table and floats or text in another become text or floats only when all rows of
    the sweep are read. A column may be absent or null in some tables.
    """
    found: list[tuple[pa.Schema, list[Location]]] = []
    for path, table in tables.items():
        for place, (schema, paths) in enumerate(found):
            with suppress(pa.ArrowInvalid, pa.ArrowTypeError):
                unified = pa.unify_schemas([schema, table.schema], promote_options="default")
                found[place] = (unified, [*paths, path])
                break
        else:
            found.append((table.schema, [path]))
    return [paths for _, paths in found]
