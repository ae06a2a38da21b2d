"""What a sweep's directory holds already, and what keeps a resumed sweep from adding to it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fvjax
from sweeps.config.job_id import VERSION
from sweeps.config.paths import directory_key
from sweeps.execution.run import Row
from sweeps.results.arrow import HISTORY
from sweeps.results.labels import format_exact
from sweeps.results.parts import read_directory
from sweeps.results.snapshots import SNAPSHOTS
from sweeps.results.table import COLUMNS
from sweeps.storage.location import Location
from sweeps.task import Task

log = logging.getLogger(__name__)

# What decides each hash: rows that are equal in these columns must be equal in the hash. A name
# that ends in _ stands for all columns that begin with it.
_DECIDED_BY = {
    "weights_hash": ("model", "model_", "precision", "judge"),
    "reference_hash": ("reference_images", "reference_count", "image_height", "image_width"),
}
_HEAVY = (HISTORY, "image", SNAPSHOTS)  # columns that a plan does not read
_WHAT = {"weights_hash": "weights", "reference_hash": "reference images"}
_RESOLVED_IN_ID = ("penalty", "layer")  # begin and end of the columns that the id has resolved


@dataclass(frozen=True)
class Recorded:
    """The rows of a directory.

    Attributes:
        rows: the rows without pictures and histories, by job id.
        attempt: the number of the last start, 0 if there was none.
        bad: the reason why a file cannot be read, by its path.
    """

    rows: Mapping[str, Row]
    attempt: int
    bad: dict[Location, str]


def recorded_rows(directory: Location) -> Recorded:
    """Read the rows that the directory holds; change nothing.

    Raises:
        ValueError: the rows come from another version of the job ids.
    """
    stored = read_directory(directory, lambda name: name not in _HEAVY)
    rows: list[Row] = stored.rows.to_pylist()
    if any(not str(row.get("job_id")).startswith(f"{VERSION}-") for row in rows):
        raise ValueError(
            f"{directory} holds results of an older version of fvjax, whose job ids differ: choose "
            f"another {directory_key(directory)} (sweeps.load reads the old table)"
        )
    return Recorded({row["job_id"]: row for row in rows}, stored.attempt, stored.bad)


def check_recorded(directory: Location, rows: Mapping[str, Row], tasks: Sequence[Task]) -> None:
    """Refuse to add the tasks to rows that the same commands would now make otherwise.

    Another version of the package is a warning.

    Raises:
        ValueError: a row of one of the tasks has another value in a column of the config, or a row
            has other weights or other reference images; the message shows both values.
    """
    for name, decisive in _DECIDED_BY.items():
        _check_hash(directory, rows.values(), tasks, name, decisive)
    for task in tasks:
        if task.job_id in rows:
            _check_columns(directory, rows[task.job_id], task)
    versions = {str(row["version"]) for row in rows.values()} - {fvjax.__version__}
    if versions:
        log.warning(
            f"{directory} holds rows of fvjax {', '.join(sorted(versions))}, and this is fvjax "
            f"{fvjax.__version__}: they may differ in more than the config tells"
        )


def _check_hash(
    directory: Location,
    rows: Any,
    tasks: Sequence[Task],
    name: str,
    decisive: Sequence[str],
) -> None:
    columns = sorted({c for task in tasks for c in task.columns if _is_among(c, decisive)})
    today = {
        tuple(_comparable(task.columns.get(c)) for c in columns): getattr(task, name)
        for task in tasks
    }
    for row in rows:
        key = tuple(_comparable(row.get(c)) for c in columns)
        if key in today and today[key] != row.get(name):
            raise ValueError(
                f"{directory} holds rows of other {_WHAT[name]}: {name} was {row.get(name)} in job "
                f"{row['job']} and is {today[key]} now; bring back the {_WHAT[name]}, or choose "
                f"another {directory_key(directory)}"
            )


def _is_among(column: str, names: Sequence[str]) -> bool:
    return any(column == name or (name[-1] == "_" and column.startswith(name)) for name in names)


def _check_columns(directory: Location, row: Row, task: Task) -> None:
    today = task.columns | {"layer": task.info.direction.layer}
    begin, end = _RESOLVED_IN_ID
    for column, value in row.items():
        if column in COLUMNS or (column.startswith(begin) and column.endswith(end)):
            continue
        now = today.get(column)
        if value != now and _comparable(value) != _comparable(now):
            key = _key(column, today)
            raise ValueError(
                f"{directory} holds a row of job {row['job']} with {key}={format_exact(value)}, "
                f"and the default is {key}={format_exact(now)} now: choose another "
                f"{directory_key(directory)}"
            )


def _key(column: str, columns: Mapping[str, Any]) -> str:
    """Return the config's key of a column."""
    group, _, key = column.partition("_")
    return f"{group}.{key}" if key and group in columns else column


def _comparable(value: Any) -> Any:
    """Return a value by which a cell of the table and a value of the config compare.

    A table may hold 2.0 or the text `2` for the config's 2, where another row has text.
    """
    if value is None or value != value:
        return None
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return number if number == number else str(value)
