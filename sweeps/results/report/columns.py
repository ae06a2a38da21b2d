"""The table as columns of JSON: text as codes, numbers to six digits, what is constant once."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweeps.results.labels import (
    arm_labels,
    config_columns,
    format_exact,
    is_row_key,
    natural_sort_key,
    own_metrics,
    row_labels,
)
from sweeps.results.table import COLUMNS, METRICS

ROW, DIRECTION, ARM = "@row", "@direction", "@arm"
"""The axes that no column of the table has; `@` is in no key of a config."""

_TITLES = {
    ROW: "direction and seed",
    DIRECTION: "direction, all seeds",
    ARM: "arm",
}
_BESIDE = ("status", "error", "label", "kind", "program")  # columns of text that are no config's
_EXACT = 1e15  # below it a float has every integer, in JavaScript too
_COSTS = ("seconds", "compile_seconds")
_OPTIMIZED = "metrics_optimized_metric"


def metrics_of(results: pd.DataFrame) -> list[str]:
    """Return the metrics that some job has, in the order of their documentation."""
    names = (*METRICS, *own_metrics(results), *_COSTS)
    return [c for c in names if c in results and _numbers(results[c]).notna().any()]


def optimized_metric(results: pd.DataFrame) -> str | None:
    """Return the metric that the sweep optimizes, or None."""
    named = results[_OPTIMIZED].dropna().tolist() if _OPTIMIZED in results else []
    return str(named[0]) if named and named[0] in metrics_of(results) else None


def varying(results: pd.DataFrame) -> list[str]:
    """Return the config columns that differ between jobs."""
    return [
        c for c in config_columns(results) if results[c].map(format_exact).nunique(dropna=False) > 1
    ]


def compared_columns(results: pd.DataFrame) -> list[str]:
    """Return the columns of the arms: groups and top-level keys that differ between jobs."""
    differ = varying(results)
    config = set(config_columns(results))
    named = [c for c in differ if not is_row_key(c)]
    groups = [c.partition("_")[0] if c.partition("_")[0] in config else c for c in named]
    return list(dict.fromkeys(groups))


def axes(results: pd.DataFrame) -> pd.DataFrame:
    """Return each job's row, direction and arm, as text."""
    one_seed = results.assign(seed=0) if "seed" in results else results
    return pd.DataFrame(
        {ROW: row_labels(results), DIRECTION: row_labels(one_seed), ARM: arm_labels(results)}
    )


def table_columns(results: pd.DataFrame) -> dict[str, Any]:
    """Return the page's data of every job, without pictures and histories.

    Args:
        results: what `sweeps.load` returns, of one sweep or several.
    """
    places, differ, metrics = axes(results), varying(results), metrics_of(results)
    config = config_columns(results)
    text = {c: results[c] for c in (*_BESIDE, *differ) if c in results}
    if "sweep" in results:
        text = {"sweep": results["sweep"]} | text
    named = {str(c): places[c] for c in places} | text
    return {
        "n": len(results),
        "id": _identity(results),
        "keys": keys_of(results),
        "columns": {c: coded(v, as_found=c == ARM) for c, v in named.items()},
        "titles": _TITLES,
        "meanings": {c: COLUMNS[c] for c in (*_BESIDE, *metrics) if c in COLUMNS},
        "constant": {c: cell(results[c].iloc[0]) for c in config if c not in differ},
        "settings": differ,
        "metrics": metrics,
        "optimized": optimized_metric(results),
        "numbers": {m: [number(v) for v in _numbers(results[m])] for m in metrics},
    }


def keys_of(results: pd.DataFrame) -> list[str]:
    """Return the address of every job: its number, or `sweep/number` if there are several."""
    numbers = results["job"].astype(str)
    if "sweep" not in results:
        return numbers.tolist()
    return (results["sweep"].astype(str) + "/" + numbers).tolist()


def coded(values: pd.Series, as_found: bool = False) -> dict[str, Any]:
    """Return the different values of a column, and the place of each job's value among them.

    Args:
        values: a column.
        as_found: whether the different values keep the table's order; else they are sorted.
    """
    cells = [cell(v) for v in values]
    different = list(dict.fromkeys(map(_key, cells)))
    if not as_found:
        different.sort(key=lambda key: (key[0], natural_sort_key(key[1])))
    of = dict(zip(map(_key, cells), cells, strict=True))
    place = {key: i for i, key in enumerate(different)}
    return {"of": [of[k] for k in different], "codes": [place[_key(c)] for c in cells]}


def _key(value: Any) -> tuple[bool, str]:
    return value is None, format_exact(value)


def cell(value: Any) -> Any:
    """Return a value for JSON; a number that is not finite is None."""
    if value is None or (isinstance(value, float | np.floating) and not math.isfinite(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        real = float(value)
        return int(real) if real.is_integer() and abs(real) < _EXACT else real
    return str(value)


def number(value: float) -> float | None:
    """Return a number rounded to six digits, or None if it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _numbers(values: pd.Series) -> pd.Series:
    numbers: pd.Series = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers


def _identity(results: pd.DataFrame) -> str:
    """Return a name of this set of jobs: a browser stores unfinished answers under it."""
    ids: Sequence[str] = results["job_id"].astype(str).tolist()
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
