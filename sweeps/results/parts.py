"""The files of a sweep's rows: parts while it runs, and results.parquet after the end.

Parts and rows hold the number of their attempt, so that the newest row of a job is known whatever
the clock says.
"""

import json
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.results.arrow import concatenate
from sweeps.results.part_files import (
    BAD,
    PARTS,
    RESULTS,
    attempt_of,
    order_of,
    part_paths,
    write_part_file,
)
from sweeps.storage.atomic import move
from sweeps.storage.checked_parquet import Unreadable, read_checked, write_checked
from sweeps.storage.location import Location

log = logging.getLogger(__name__)

_DECISIVE = ("job", "job_id", "status", "attempt")  # columns that tell the newest row of a job


@dataclass(frozen=True)
class Stored:
    """What the files of a directory hold.

    Attributes:
        rows: the newest row of each job, by job number; no columns if no file could be read.
        files: the files that were read, and those that could not.
        bad: the reason why a file could not be read, by its path.
    """

    rows: pa.Table
    files: tuple[Location, ...]
    bad: dict[Location, str]

    @cached_property
    def attempt(self) -> int:
        """Return the number of the last attempt, 0 if there is none."""
        named = [attempt_of(path) for path in self.files]
        return max(0, *named, *(attempt or 0 for attempt in _cells(self.rows, "attempt")))


def merged_path(directory: Location) -> Location:
    """Return the path of the merged table."""
    return directory / f"{RESULTS}.parquet"


def holds_results(directory: Location) -> bool:
    """Return whether the directory holds the results of a sweep or run."""
    return merged_path(directory).exists() or bool(part_paths(directory))


def write_part(directory: Location, table: pa.Table, attempt: int) -> None:
    """Write another part."""
    write_part_file(directory, _with_features(table), attempt)


def _with_features(table: pa.Table) -> pa.Table:
    """Tell Hugging Face's `datasets` that the column image holds pictures."""
    if "image" not in table.column_names:
        return table
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(features)})


def read_directory(
    directory: Location, wanted: Callable[[str], bool] = lambda name: True, whole: bool = True
) -> Stored:
    """Read all files of a directory; files that cannot be read are reported in `bad`.

    Args:
        directory: the directory of a sweep or run.
        wanted: whether a column is read; those that tell the newest row always are.
        whole: whether the digests of the files are verified, as `read_checked` says.
    """

    def is_read(name: str) -> bool:
        return name in _DECISIVE or wanted(name)

    tables: dict[Location, pa.Table] = {}
    bad: dict[Location, str] = {}
    vanished: set[Location] = set()

    def read(path: Location, digest_required: bool) -> None:
        try:
            table = read_checked(path, is_read, whole=whole, digest_required=digest_required)
            _check_names(table)
            tables[path] = table
        except FileNotFoundError:
            vanished.add(path)
        except (OSError, Unreadable) as error:
            bad[path] = getattr(error, "strerror", None) or str(error)

    # Whoever merges files deletes them after the merged one is written. So a part that has vanished
    # is in a part that the next look finds, or in the merged table, which is read last.
    while missing := set(part_paths(directory)) - {*tables, *bad, *vanished}:
        for path in missing:
            read(path, digest_required=True)
    parts = sorted({*tables, *bad}, key=order_of)
    read(merged_path(directory), digest_required=False)
    found = [tables[path] for path in (*parts, merged_path(directory)) if path in tables]
    rows = _newest(concatenate(found)) if found else pa.table({})
    return Stored(rows, (*parts, merged_path(directory)), bad)


def _check_names(table: pa.Table) -> None:
    if not {"job", "status"} <= set(table.column_names):
        raise Unreadable("it is no table of results: a column job or status is missing")


def _newest(table: pa.Table) -> pa.Table:
    """Return one row for each job: one that did not fail, of the latest attempt."""
    if _are_distinct(table):
        return table.sort_by([("job", "ascending")])
    jobs = _cells(table, "job")
    ids = _cells(table, "job_id") or jobs
    keys = [job if key is None else key for key, job in zip(ids, jobs, strict=True)]
    failed = [status == "failed" for status in _cells(table, "status")]
    attempts = [attempt or 0 for attempt in _cells(table, "attempt")] or [0] * len(keys)
    best: dict[object, int] = {}
    for place, key in enumerate(keys):
        other = best.setdefault(key, place)
        if (not failed[place], attempts[place]) > (not failed[other], attempts[other]):
            best[key] = place
    chosen = set(best.values())
    mask = pa.array([place in chosen for place in range(len(keys))], pa.bool_())
    return table.filter(mask).sort_by([("job", "ascending")])


def _are_distinct(table: pa.Table) -> bool:
    """Return whether every row has a job id, and no two have the same."""
    ids = table["job_id"] if "job_id" in table.column_names else pa.chunked_array([pa.nulls(1)])
    return not ids.null_count and bool(pc.count_distinct(ids).as_py() == len(table))


def _cells(table: pa.Table, name: str) -> list[Any]:
    cells: list[Any] = table[name].to_pylist() if name in table.column_names else []
    return cells


def set_aside(directory: Location, bad: dict[Location, str]) -> None:
    """Move unreadable files to parts/bad, and name each in a warning."""
    for path, reason in bad.items():
        folder = directory / PARTS / BAD
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / path.name
        while place.exists():
            place = folder / f"{uuid.uuid4().hex[:4]}-{path.name}"
        move(path, place)
        log.warning(
            f"{path} cannot be read ({reason}): it is set aside as {place}, and a resumed sweep "
            "runs its jobs again"
        )


def merge(directory: Location) -> pa.Table:
    """Merge all parts into results.parquet, which holds each job's newest row and history."""
    stored = read_directory(directory)
    set_aside(directory, stored.bad)
    if len(stored.rows.column_names):
        write_checked(_with_features(stored.rows), merged_path(directory))
    for part in stored.files[:-1]:
        part.unlink(missing_ok=True)
    parts = directory / PARTS
    for folder in (directory, parts):  # of a process that was killed
        for partial in folder.glob(f"{RESULTS}*.partial"):
            partial.unlink(missing_ok=True)
    with suppress(OSError):  # it is absent, or holds parts that are set aside
        parts.rmdir()
    return stored.rows
