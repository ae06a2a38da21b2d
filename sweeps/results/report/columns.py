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
    """The metrics that some job has, in the order in which they are documented."""
    return [c for c in (*METRICS, *_COSTS) if c in results and _numbers(results[c]).notna().any()]


def optimized_metric(results: pd.DataFrame) -> str | None:
    """The metric by which the sweep itself ranks its jobs, where it names one."""
    named = results[_OPTIMIZED].dropna().tolist() if _OPTIMIZED in results else []
    return str(named[0]) if named and named[0] in metrics_of(results) else None


def varying(results: pd.DataFrame) -> list[str]:
    """The config columns that differ between jobs."""
    return [
        c for c in config_columns(results) if results[c].map(format_exact).nunique(dropna=False) > 1
    ]


def compared_columns(results: pd.DataFrame) -> list[str]:
    """What makes the arms: of the columns that differ, groups and top-level keys."""
    differ = varying(results)
    told = set(config_columns(results))
    named = [c for c in differ if not is_row_key(c)]
    groups = [c.partition("_")[0] if c.partition("_")[0] in told else c for c in named]
    return list(dict.fromkeys(groups))


def axes(results: pd.DataFrame) -> pd.DataFrame:
    """Each job's row, direction and arm, as text."""
    one_seed = results.assign(seed=0) if "seed" in results else results
    return pd.DataFrame(
        {ROW: row_labels(results), DIRECTION: row_labels(one_seed), ARM: arm_labels(results)}
    )


def table_columns(results: pd.DataFrame) -> dict[str, Any]:
    """What the page knows of every job but its picture and its history.

    Args:
        results: what `sweeps.load` returns, of one sweep or several.
    """
    places, differ, metrics = axes(results), varying(results), metrics_of(results)
    told = config_columns(results)
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
        "constant": {c: cell(results[c].iloc[0]) for c in told if c not in differ},
        "settings": differ,
        "metrics": metrics,
        "optimized": optimized_metric(results),
        "numbers": {m: [number(v) for v in _numbers(results[m])] for m in metrics},
    }


def keys_of(results: pd.DataFrame) -> list[str]:
    """The address of every job: its number, after its sweep's name where there are several."""
    numbers = results["job"].astype(str)
    if "sweep" not in results:
        return numbers.tolist()
    return (results["sweep"].astype(str) + "/" + numbers).tolist()


def coded(values: pd.Series, as_found: bool = False) -> dict[str, Any]:
    """The different values and for every job which of them it has.

    Args:
        values: of a column.
        as_found: whether they are in the table's order, and not sorted.
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
    """A value as JSON has it; what is not finite is none."""
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
    """Six digits, which no picture's metric is known better than; none where it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _numbers(values: pd.Series) -> pd.Series:
    numbers: pd.Series = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers


def _identity(results: pd.DataFrame) -> str:
    """A name of this set of jobs, under which a browser keeps unfinished answers."""
    ids: Sequence[str] = results["job_id"].astype(str).tolist()
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
