"""The files of a sweep's rows: a part for each batch, and results.parquet after the end.

A part is `parts/results-ATTEMPT-NAME.parquet`. The attempt counts the starts of the sweep, so that
the newest row of a job is known whatever the clock says.
"""

import json
import logging
import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from sweeps.results.arrow import concatenate
from sweeps.storage.checked_parquet import Unreadable, read_checked, write_checked

log = logging.getLogger(__name__)

RESULTS, PARTS, BAD = "results", "parts", "bad"
_NAME = re.compile(rf"{RESULTS}-(\d+)-")


@dataclass(frozen=True)
class Stored:
    """What the files of a directory hold.

    Attributes:
        rows: the newest row of each job, by job number; no columns if no file could be read.
        files: the files that were read, and those that could not.
        bad: the reason why a file could not be read, by its path.
    """

    rows: pa.Table
    files: tuple[Path, ...]
    bad: dict[Path, str]

    @cached_property
    def attempt(self) -> int:
        """Return the number of the last attempt, 0 if there is none."""
        named = [_attempt(path) for path in self.files]
        return max(0, *named, *(attempt or 0 for attempt in _cells(self.rows, "attempt")))


def merged_path(directory: Path) -> Path:
    """Return the path of the merged table."""
    return directory / f"{RESULTS}.parquet"


def part_paths(directory: Path) -> list[Path]:
    """Return the paths of the parts, in the order of their attempts."""
    return sorted((directory / PARTS).glob(f"{RESULTS}-*.parquet"), key=_attempt)


def _attempt(path: Path) -> int:
    """Return the attempt that a part's name holds, 0 if there is none."""
    match = _NAME.match(path.name)
    return int(match[1]) if match else 0


def holds_results(directory: Path) -> bool:
    """Return whether the directory holds the results of a sweep or run."""
    return merged_path(directory).exists() or bool(part_paths(directory))


def write_part_file(directory: Path, table: pa.Table, attempt: int) -> None:
    """Write another part."""
    (directory / PARTS).mkdir(parents=True, exist_ok=True)
    name = f"{RESULTS}-{attempt:04d}-{uuid.uuid4().hex[:12]}.parquet"
    write_checked(_with_features(table), directory / PARTS / name)


def _with_features(table: pa.Table) -> pa.Table:
    """Tell Hugging Face's `datasets` that the column image holds pictures."""
    if "image" not in table.column_names:
        return table
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(features)})


def read_directory(directory: Path, without: Sequence[str] = ()) -> Stored:
    """Read all files of a directory; files that cannot be read are reported in `bad`."""
    tables, bad = [], {}
    # Parts first: another process that merges them writes the merged table before it deletes them.
    parts = part_paths(directory)
    for path in [*parts, merged_path(directory)]:
        try:
            table = read_checked(path, without, digest_required=path in parts)
            _check_names(table)
            tables.append(table)
        except FileNotFoundError:
            continue
        except (OSError, Unreadable) as error:
            bad[path] = getattr(error, "strerror", None) or str(error)
    rows = _newest(concatenate(tables)) if tables else pa.table({})
    return Stored(rows, (*parts, merged_path(directory)), bad)


def _check_names(table: pa.Table) -> None:
    if not {"job", "status"} <= set(table.column_names):
        raise Unreadable("it is no table of results: a column job or status is missing")


def _newest(table: pa.Table) -> pa.Table:
    """Return one row for each job: one that did not fail, of the latest attempt."""
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


def _cells(table: pa.Table, name: str) -> list[Any]:
    cells: list[Any] = table[name].to_pylist() if name in table.column_names else []
    return cells


def set_aside(directory: Path, bad: dict[Path, str]) -> None:
    """Move unreadable files to parts/bad, and name each in a warning."""
    for path, reason in bad.items():
        folder = directory / PARTS / BAD
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / path.name
        while place.exists():
            place = folder / f"{uuid.uuid4().hex[:4]}-{path.name}"
        path.replace(place)
        log.warning(
            f"{path} cannot be read ({reason}): it is set aside as {place}, and a resumed sweep "
            "runs its jobs again"
        )


def merge(directory: Path) -> pa.Table:
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
