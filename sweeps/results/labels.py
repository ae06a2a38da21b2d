"""Labels of jobs: rows are directions and seeds, arms what else differs between jobs."""

import re
from collections.abc import Iterable
from textwrap import wrap

import pandas as pd

from sweeps.results.table import COLUMNS

_LINES = 7  # of a label: beside a tile there is room for no more
_GROUPS = ("objective", "penalty", "space", "parameterization", "transform", "optimizer", "model")


def row_labels(results: pd.DataFrame) -> pd.Series:
    """Each job's direction and seed, as text: `conv4:3 seed=1`.

    Where several directions have one label, also what tells them apart: `direction.path=b/cat.jpg`.
    """
    columns = [c for c in config_columns(results) if is_row_key(c) and c != "seed"]
    keys = {c: c.replace("direction_", "direction.", 1) for c in columns}
    told = [_differing(results, column, key, "label") for column, key in keys.items()]
    return join([results["label"].astype(str), *told, _differing(results, "seed", "seed")])


def arm_labels(results: pd.DataFrame) -> pd.Series:
    """What each job is apart from its direction and seed, as text: `dot_cosine exponent=2`.

    Made of the config columns that differ between jobs; a group's keys only where they differ
    within its option.
    """
    columns = [c for c in config_columns(results) if not is_row_key(c)]
    parts = {}
    for column in columns:
        group, _, key = column.partition("_")
        if key and group in columns:
            parts[column] = _differing(results, column, key, within=group)
        else:
            parts[column] = _differing(results, column, column)
        if column in _GROUPS:  # an option needs no key
            parts[column] = parts[column].str.removeprefix(f"{column}=")
    if "objective" in parts:
        parts["objective"] = results["objective"].astype(str)
    if "penalty" in parts:
        parts["penalty"] = parts["penalty"].replace("none", "")
    order = sorted(parts, key=lambda c: [c.split("_")[0] != g for g in _GROUPS])
    return join([pd.Series("", results.index), *(parts[c] for c in order)])


def config_columns(results: pd.DataFrame) -> list[str]:
    """The columns that are the config's."""
    return [c for c in results.columns if c not in COLUMNS and c != "sweep"]


def is_row_key(column: str) -> bool:
    """Whether a column says where a job looks, or its seed, and not how it makes the image."""
    return column in ("layer", "seed") or column.split("_")[0] == "direction"


def _differing(
    results: pd.DataFrame, column: str, key: str, within: str | None = None
) -> pd.Series:
    """`key=value` for jobs among which a column differs (those equal in `within`), else nothing."""
    values = results[column]
    among = pd.Series(0, results.index) if within is None else results[within]
    many = values.groupby(among, dropna=False).transform(lambda v: v.nunique(dropna=False))
    return (f"{key}=" + values.map(format_exact)).where(values.notna() & (many > 1), "")


def format_exact(value: object) -> str:
    """Text that no other value has: `2` for 2.0, but all digits where six are too few."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else str(value)


def join(parts: Iterable[pd.Series]) -> pd.Series:
    """The texts of each row, one space between words; parts have one index."""
    columns = list(parts)
    texts = zip(*columns, strict=True)  # ten times as fast as pandas' rows
    return pd.Series(
        [" ".join(" ".join(row).split()) for row in texts], columns[0].index, dtype=str
    )


def natural_sort_key(text: str) -> list[str | int]:
    """A key to sort by in which conv4:9 comes before conv4:10."""
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", text)]


def wrap_label(text: str, width: int) -> str:
    """Lines of so many letters; of a text too long for its place, the beginning and the end."""
    lines = wrap(text, width, break_on_hyphens=False)
    kept = lines if len(lines) <= _LINES else [*lines[: _LINES // 2], "...", *lines[-_LINES // 2 :]]
    return "\n".join(kept)
