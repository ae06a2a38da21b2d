"""Labels of jobs: rows are directions and seeds, arms are the other differences of jobs."""

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap

import pandas as pd

from fvjax import checks
from sweeps.results.table import COLUMNS

_LINES = 7  # of a label, as many as fit beside a tile
_GROUPS = ("objective", "penalty", "space", "parameterization", "transform", "optimizer", "model")


def row_labels(results: pd.DataFrame) -> pd.Series:
    """Return each job's direction and seed as text: `conv4:3 seed=1`.

    If several directions have equal labels, the differing keys follow: `direction.path=b/cat.jpg`.
    """
    columns = [c for c in config_columns(results) if is_row_key(c) and c != "seed"]
    keys = {c: c.replace("direction_", "direction.", 1) for c in columns}
    differences = [_differing(results, column, key, "label") for column, key in keys.items()]
    return join([results["label"].astype(str), *differences, _differing(results, "seed", "seed")])


def arm_labels(results: pd.DataFrame) -> pd.Series:
    """Return each job's other choices as text: `dot_cosine exponent=2`.

    The text holds the config columns that differ between jobs. A key of a group is included only
    if it differs among the jobs with the same option, and a key of no group only if it differs
    among the jobs of the same model: an experiment gives each network its own steps and size.
    """
    columns = [c for c in config_columns(results) if not is_row_key(c)]
    parts = {}
    for column in columns:
        group, _, key = column.partition("_")
        of_group = bool(key) and group in columns
        within: str | None = group if of_group else "model"
        if column in _GROUPS or within not in columns:
            within = None
        parts[column] = _differing(results, column, key if of_group else column, within)
        if column in _GROUPS:  # an option needs no key
            parts[column] = parts[column].str.removeprefix(f"{column}=")
    if "objective" in parts:
        parts["objective"] = results["objective"].astype(str)
    if "penalty" in parts:
        parts["penalty"] = parts["penalty"].replace("none", "")
    order = sorted(parts, key=lambda c: [c.split("_")[0] != g for g in _GROUPS])
    return join([pd.Series("", results.index), *(parts[c] for c in order)])


def column_labels(results: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return each job's values of some columns as text: `dot seed=1`.

    Raises:
        ValueError: an unknown column, naming the closest ones.
    """
    parts = []
    for column in columns:
        checks.choice("column", column, results.columns)
        key = "" if column in (*_GROUPS, "label", "layer") else f"{column}="
        parts.append(key + results[column].map(format_exact))
    return join(parts)


def config_columns(results: pd.DataFrame) -> list[str]:
    """Return the columns that hold the config: neither ours nor the values of a user's metrics."""
    own = own_metrics(results)
    return [c for c in results.columns if c not in COLUMNS and c not in ("sweep", *own)]


def own_metrics(results: pd.DataFrame) -> list[str]:
    """Return the columns with a user's metrics, whose configs are the columns metrics_<name>."""
    return [c for c in results.columns if c not in COLUMNS and f"metrics_{c}" in results]


def is_row_key(column: str) -> bool:
    """Return whether a column belongs to the direction or is the seed, and so labels rows."""
    return column in ("layer", "seed") or column.split("_")[0] == "direction"


def _differing(
    results: pd.DataFrame, column: str, key: str, within: str | None = None
) -> pd.Series:
    """Return `key=value` where a column differs among the jobs equal in `within`, else ""."""
    values = results[column]
    among = pd.Series(0, results.index) if within is None else results[within]
    many = values.groupby(among, dropna=False).transform(lambda v: v.nunique(dropna=False))
    return (f"{key}=" + values.map(format_exact)).where(values.notna() & (many > 1), "")


def format_exact(value: object) -> str:
    """Format a value uniquely: `2` for 2.0, and all digits where six do not suffice."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else str(value)


def join(parts: Iterable[pd.Series]) -> pd.Series:
    """Join the texts of each row with single spaces; the parts have equal indices."""
    columns = list(parts)
    texts = zip(*columns, strict=True)  # ten times as fast as pandas' rows
    return pd.Series(
        [" ".join(" ".join(row).split()) for row in texts], columns[0].index, dtype=str
    )


def natural_sort_key(text: str) -> list[str | int]:
    """Return a sort key that places conv4:9 before conv4:10."""
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", text)]


def wrap_label(text: str, width: int) -> str:
    """Wrap a text into lines of `width` letters; shorten long texts to their beginning and end."""
    lines = wrap(text, width, break_on_hyphens=False)
    shown = (
        lines if len(lines) <= _LINES else [*lines[: _LINES // 2], "...", *lines[-_LINES // 2 :]]
    )
    return "\n".join(shown)
