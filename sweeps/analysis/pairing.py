"""What is a pair: rows of two arms that are equal in all else; and why other rows have none.

An arm is what the compared columns say (`dot_cosine exponent=2`). Rows of two arms are a pair where
all other config columns are equal: direction, layer, seed and the rest.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fvjax import checks
from sweeps.results.labels import arm_labels, config_columns, format_exact, is_row_key, join


class Pairs(NamedTuple):
    """The pairs of an arm and the baseline, and what has none."""

    values: pd.DataFrame  # a row for each pair: direction (a number), mine, base
    unpaired: int  # rows of the arm without a pair
    unpaired_reason: str
    baseline_unpaired: int
    baseline_unpaired_reason: str
    also_differs: str  # columns that are one value in the arm and another in the baseline


def compared_columns(results: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """The compared columns: a group's with its keys; raises ValueError for an unknown one."""
    columns = config_columns(results)
    own: list[str] = []
    for name in by:
        checks.choice("column to compare by", name, columns)
        keys = [c for c in columns if c.startswith(f"{name}_")]
        own += [c for c in (name, *keys) if c not in own]
    return own


def arm_names(results: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """The name of each row's arm, as the sheet has it; null where a compared key does not apply.

    A key (`objective_exponent`) does not apply to the options of its group that never have it.
    """
    own = compared_columns(results, by)
    applies = pd.Series(True, results.index)
    for name in by:
        group = name.partition("_")[0]
        if group != name and group in results and group not in own:
            given = results[name].notna()
            applies &= given.groupby(results[group], dropna=False).transform("any")
    rows = results.loc[applies]
    plain = [c for c in own if not is_row_key(c)]
    parts = [arm_labels(rows[plain])] if plain and len(rows) else []
    parts += [c + "=" + _text(rows[c]) for c in own if c not in plain]
    text = join(parts) if parts else pd.Series(dtype=str)
    return text.replace("", "none").reindex(results.index)


def factorize(results: pd.DataFrame, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Numbers that are equal where values are: 2 and 2.0, None and NaN.

    Columns of one value are left out: they tell no two rows apart.
    """
    differing = [c for c in columns if results[c].nunique(dropna=False) > 1]
    return {c: pd.factorize(_text(results[c]))[0] for c in differing}


def pair(
    results: pd.DataFrame,
    metric: str,
    mine: np.ndarray,
    base: np.ndarray,
    code: Mapping[str, np.ndarray],
) -> Pairs:
    """Pair the rows of two arms.

    A column that is one value throughout the arm and another throughout the baseline (a learning
    rate that comes with a parameterization) is a part of the arm: it is named in `also`, and keeps
    no rows apart. Of rows that are equal in all columns the newest that can be used counts.

    Args:
        results: the table, with the metric as floats.
        mine: whether a row is the arm's; `base`, the baseline's.
        code: `codes` of all columns that are not compared.
    """
    also = [c for c in code if _apart(code[c][mine], code[c][base]) and not is_row_key(c)]
    on = [c for c in code if c not in also]
    table = np.stack([np.zeros(len(results), int), *(code[c] for c in on)], axis=1)
    key = _numbered(table)
    direction = _numbered(table[:, [0, *(1 + i for i, c in enumerate(on) if _of_direction(c))]])
    state = _state(results, metric)
    ours, theirs = np.flatnonzero(mine), np.flatnonzero(base)
    own, other = (_newest(key, state, places) for places in (ours, theirs))
    both = [
        (own[k], other[k])
        for k in own.keys() & other.keys()
        if not state[own[k]] and not state[other[k]]
    ]
    first, second = np.array(sorted(both), int).reshape(-1, 2).T
    value = results[metric].to_numpy()
    values = {"direction": direction[first], "mine": value[first], "base": value[second]}
    differing = [f"{c}={_first(results[c], mine)} against {_first(results[c], base)}" for c in also]
    return Pairs(
        values=pd.DataFrame(values),
        unpaired=len(ours) - len(both),
        unpaired_reason=_reasons(ours, own, other, state, key, table, on),
        baseline_unpaired=len(theirs) - len(both),
        baseline_unpaired_reason=_reasons(theirs, other, own, state, key, table, on),
        also_differs=", ".join(differing),
    )


def _state(results: pd.DataFrame, metric: str) -> list[str]:
    """Why a row cannot be used; empty where it can."""
    there = np.isfinite(results[metric].to_numpy())
    told = zip(results["status"], there, strict=True)
    return [str(s) if s != "ok" else "" if ok else f"without {metric}" for s, ok in told]


def _newest(key: np.ndarray, state: Sequence[str], places: np.ndarray) -> dict[int, int]:
    """For every key the last row that can be used, or else the last."""
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
    """Why rows have no pair, and how many."""
    told: Counter[str] = Counter()
    rest = table[list(other.values())]
    for place in places.tolist():
        partner = other.get(key[place])
        if state[place]:
            told[state[place]] += 1
        elif own[key[place]] != place:
            told["more than once"] += 1
        elif partner is None:
            told[
                f"without a partner (the closest differs in {_closest(table[place], rest, on)})"
            ] += 1
        elif state[partner]:
            told[f"whose partner is {state[partner]}"] += 1
    return ", ".join(f"{count} {reason}" for reason, count in told.items())


def _closest(row: np.ndarray, rest: np.ndarray, on: Sequence[str]) -> str:
    """The columns in which the closest of other rows differs."""
    # Of equally close ones first those of the same direction, then those of the same seed.
    cost = [0, *(1 + 0.02 * _of_direction(c) + 0.01 * (c == "seed") for c in on)]
    differ = rest != row
    closest = differ[(differ @ np.array(cost)).argmin()][1:]
    columns = [c for c, d in zip(on, closest, strict=True) if d]
    # Where a group's option differs, that its keys do goes without saying.
    return ", ".join(c for c in columns if c.partition("_")[0] not in {*columns} - {c})


def _apart(mine: np.ndarray, base: np.ndarray) -> bool:
    """Whether two columns are one value each, and not the same."""
    return len(np.unique(mine)) == len(np.unique(base)) == 1 and bool(mine[0] != base[0])


def _numbered(table: np.ndarray) -> np.ndarray:
    """A number for every row, the same for equal rows."""
    number = np.zeros(len(table), int)
    for column in table.T:  # sorting whole rows, as np.unique(axis=0) does, takes ten times as long
        number = np.unique(number * (column.max(initial=0) + 1) + column, return_inverse=True)[1]
    return number


def _first(values: pd.Series, where: np.ndarray) -> str:
    return str(_text(values[where]).iloc[0]) or "none"


def _of_direction(column: str) -> bool:
    return is_row_key(column) and column != "seed"


def _text(values: pd.Series) -> pd.Series:
    """As text; 2 and 2.0 are equal, and so are None and NaN."""
    numbers = pd.to_numeric(values, errors="coerce")
    text = values.astype(str).where(values.notna(), "")
    written: pd.Series = text.where(numbers.isna(), numbers.map(format_exact))
    return written
