"""Pairs of rows that differ only in their arm, and the reasons why other rows have no pair.

An arm is a combination of the compared columns (`dot_cosine exponent=2`). Two rows of two arms are
a pair if all other config columns are equal: direction, layer, seed and the rest.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fvjax import checks
from sweeps.results.labels import arm_labels, config_columns, format_exact, is_row_key, join


class Pairs(NamedTuple):
    """The pairs of an arm and the baseline, with the number of unpaired rows and the reasons."""

    values: pd.DataFrame  # a row for each pair: direction (a number), arm, base
    unpaired: int  # rows of the arm without a pair
    unpaired_reason: str
    baseline_unpaired: int
    baseline_unpaired_reason: str
    also_differs: str  # columns with one value in the arm and another in the baseline


def compared_columns(results: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """Return the compared columns, where a group stands for its keys too.

    Raises:
        ValueError: a column is unknown.
    """
    columns = config_columns(results)
    own: list[str] = []
    for name in by:
        checks.choice("column to compare by", name, columns)
        keys = [c for c in columns if c.startswith(f"{name}_")]
        own += [c for c in (name, *keys) if c not in own]
    return own


def arm_names(results: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """Return the name of each row's arm; null where a compared key does not apply.

    A key (`objective_exponent`) does not apply to the options of its group that never have it.
    """
    own = compared_columns(results, by)
    config = config_columns(results)  # of image_height the column `image` is no group
    applies = pd.Series(True, results.index)
    for name in by:
        group = name.partition("_")[0]
        if group != name and group in config and group not in own:
            given = results[name].notna()
            applies &= given.groupby(results[group], dropna=False).transform("any")
    rows = results.loc[applies]
    plain = [c for c in own if not is_row_key(c)]
    parts = [arm_labels(rows[plain])] if plain and len(rows) else []
    parts += [c + "=" + _text(rows[c]) for c in own if c not in plain]
    text = join(parts) if parts else pd.Series(dtype=str)
    return text.replace("", "none").reindex(results.index)


def factorize(results: pd.DataFrame, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Return numbers that are equal where values are equal: 2 and 2.0, None and NaN.

    Columns of one value are left out, since they distinguish no rows.
    """
    differing = [c for c in columns if results[c].nunique(dropna=False) > 1]
    return {c: pd.factorize(_text(results[c]))[0] for c in differing}


def pair(
    results: pd.DataFrame,
    metric: str,
    in_arm: np.ndarray,
    in_base: np.ndarray,
    code: Mapping[str, np.ndarray],
) -> Pairs:
    """Pair the rows of two arms.

    If a column has one value throughout the arm and another throughout the baseline, it is
    confounded with the arm (a parameterization has its own learning rate). Such columns are ignored
    for pairing and named in `also_differs`. Of rows equal in all columns, the newest usable
    row counts.

    Args:
        results: the table, with the metric as floats.
        metric: the metric's column.
        in_arm: whether each row belongs to the arm.
        in_base: whether each row belongs to the baseline.
        code: `factorize` of all columns that are not compared.
    """
    also = [
        c for c in code if _is_confounded(code[c][in_arm], code[c][in_base]) and not is_row_key(c)
    ]
    on = [c for c in code if c not in also]
    table = np.stack([np.zeros(len(results), int), *(code[c] for c in on)], axis=1)
    key = _numbered(table)
    direction = _numbered(table[:, [0, *(1 + i for i, c in enumerate(on) if _of_direction(c))]])
    state = _state(results, metric)
    ours, theirs = np.flatnonzero(in_arm), np.flatnonzero(in_base)
    own, other = (_newest(key, state, places) for places in (ours, theirs))
    both = [
        (own[k], other[k])
        for k in own.keys() & other.keys()
        if not state[own[k]] and not state[other[k]]
    ]
    first, second = np.array(sorted(both), int).reshape(-1, 2).T
    value = results[metric].to_numpy()
    values = {"direction": direction[first], "arm": value[first], "base": value[second]}
    differing = [
        f"{c}={_first(results[c], in_arm)} against {_first(results[c], in_base)}" for c in also
    ]
    return Pairs(
        values=pd.DataFrame(values),
        unpaired=len(ours) - len(both),
        unpaired_reason=_reasons(ours, own, other, state, key, table, on),
        baseline_unpaired=len(theirs) - len(both),
        baseline_unpaired_reason=_reasons(theirs, other, own, state, key, table, on),
        also_differs=", ".join(differing),
    )


def _state(results: pd.DataFrame, metric: str) -> list[str]:
    """Return why each row cannot be used; "" for usable rows."""
    finite = np.isfinite(results[metric].to_numpy())
    rows = zip(results["status"], finite, strict=True)
    return [str(s) if s != "ok" else "" if ok else f"without {metric}" for s, ok in rows]


def _newest(key: np.ndarray, state: Sequence[str], places: np.ndarray) -> dict[int, int]:
    """Return the last usable row of each key, or its last row if none is usable."""
    order = sorted(places.tolist(), key=lambda place: (not state[place], place))
    return {int(key[place]): place for place in order}


def _reasons(
    places: np.ndarray,
    own: Mapping[int, int],
    other: Mapping[int, int],
    state: Sequence[str],
    key: np.ndarray,
    table: np.ndarray,
    on: Sequence[str],
) -> str:
    """Return the reasons why rows have no pair, each with its number of rows."""
    counts: Counter[str] = Counter()
    rest = table[list(other.values())]
    for place in places.tolist():
        partner = other.get(key[place])
        if state[place]:
            counts[state[place]] += 1
        elif own[key[place]] != place:
            counts["more than once"] += 1
        elif partner is None:
            closest = _closest(table[place], rest, on)
            counts[f"without a partner (the closest differs in {closest})"] += 1
        elif state[partner]:
            counts[f"whose partner is {state[partner]}"] += 1
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def _closest(row: np.ndarray, rest: np.ndarray, on: Sequence[str]) -> str:
    """Return the columns in which the closest row differs."""
    # Among equally close rows, the same direction comes first, then the same seed.
    cost = [0, *(1 + 0.02 * _of_direction(c) + 0.01 * (c == "seed") for c in on)]
    differ = rest != row
    closest = differ[(differ @ np.array(cost)).argmin()][1:]
    columns = [c for c, d in zip(on, closest, strict=True) if d]
    # If a group's option differs, its keys are not named.
    return ", ".join(c for c in columns if c.partition("_")[0] not in {*columns} - {c})


def _is_confounded(arm: np.ndarray, base: np.ndarray) -> bool:
    """Return whether both columns are constant, with different values."""
    return len(np.unique(arm)) == len(np.unique(base)) == 1 and bool(arm[0] != base[0])


def _numbered(table: np.ndarray) -> np.ndarray:
    """Return a number for each row; equal rows have equal numbers."""
    number = np.zeros(len(table), int)
    for column in table.T:  # sorting whole rows, as np.unique(axis=0) does, takes ten times as long
        number = np.unique(number * (column.max(initial=0) + 1) + column, return_inverse=True)[1]
    return number


def _first(values: pd.Series, where: np.ndarray) -> str:
    return str(_text(values[where]).iloc[0]) or "none"


def _of_direction(column: str) -> bool:
    return is_row_key(column) and column != "seed"


def _text(values: pd.Series) -> pd.Series:
    """Return values as text in which 2 equals 2.0, and None equals NaN."""
    numbers = pd.to_numeric(values, errors="coerce")
    text = values.astype(str).where(values.notna(), "")
    written: pd.Series = text.where(numbers.isna(), numbers.map(format_exact))
    return written
