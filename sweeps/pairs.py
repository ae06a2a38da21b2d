"""Arms of a sweep against each other, paired on everything else: differences and how sure they are.

An arm is what the compared columns say (`dot_cosine exponent=2`). Rows of two arms are a pair where
all other config columns are equal: direction, layer, seed and the rest. Differences are averaged
over the pairs of a direction first; directions are the clusters, and weigh equally.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fvjax import checks
from sweeps.inference import holm, interval, signed_ranks
from sweeps.sheet import arms
from sweeps.table import COLUMNS, METRICS

_ROW = ("layer", "direction")  # what makes a direction


def compare(
    results: pd.DataFrame,
    by: Sequence[str],
    metrics: Sequence[str],
    baseline: str | None = None,
) -> pd.DataFrame:
    """Every arm against the baseline, a row for each metric and arm.

    Args:
        results: what `sweeps.load` returns.
        by: config columns that are compared; a group (`objective`) stands for its keys too.
        metrics: numeric columns.
        baseline: the arm that others are compared with; the first in the table if None.

    Returns:
        `metric arm baseline`; `pairs directions`; `mean mean_baseline difference` over directions;
        `low high`, the 95 % bootstrap interval of the difference; `p p_holm`, of Wilcoxon's test,
        corrected for all rows; `effect`, the rank-biserial correlation; `unpaired`, rows of the arm
        without a pair; `why`, for people. An interval takes four directions, p and effect two: null
        where there are fewer.

    Raises:
        ValueError: an unknown column, metric or arm; a single arm; not one pair.
    """
    own = _own(results, by)
    for metric in metrics:
        numbers = [c for c in results if c in METRICS or pd.api.types.is_float_dtype(results[c])]
        checks.choice("metric", metric, numbers)
    named = _named(results, own)
    names = list(dict.fromkeys(named))
    if len(names) < 2:
        told = f"{', '.join(by)} never differ"
        raise ValueError(f"there is a single arm, {names[0] or 'all'}: {told}")
    first = names[0] if baseline is None else baseline
    checks.choice("baseline", first, names)
    others = [c for c in _config(results) if c not in own]
    rows = results.assign(arm_=named, pair_=_keys(results, others))
    rows["direction_"] = _keys(results, [c for c in others if _of_direction(c)])
    found = [
        _row(rows, metric, arm, first, others)
        for metric in metrics
        for arm in names
        if arm != first
    ]
    table = pd.DataFrame(found)
    if not table["pairs"].any():
        raise ValueError(f"no row of {first} has a partner: {table['why'].iloc[0]}")
    table["p_holm"] = holm(table["p"].tolist())
    order = [c for c in table if c not in ("effect", "unpaired", "why")]
    return table[[*order, "effect", "unpaired", "why"]]


def _row(
    rows: pd.DataFrame, metric: str, arm: str, baseline: str, others: Sequence[str]
) -> dict[str, Any]:
    mine, theirs = (rows[rows["arm_"] == name] for name in (arm, baseline))
    good, base = _usable(mine, metric), _usable(theirs, metric)
    pairs = good.merge(base[["pair_", metric]], on="pair_", suffixes=("", "_base"))
    means = pairs.groupby("direction_")[[metric, f"{metric}_base"]].mean()
    differences = (means[metric] - means[f"{metric}_base"]).to_numpy()
    mean, low, high = interval(differences)
    p, effect = signed_ranks(differences)
    return {
        "metric": metric,
        "arm": arm or "all",
        "baseline": baseline or "all",
        "pairs": len(pairs),
        "directions": len(means),
        "mean": means[metric].mean(),
        "mean_baseline": means[f"{metric}_base"].mean(),
        "difference": mean,
        "low": low,
        "high": high,
        "p": p,
        "effect": effect,
        "unpaired": len(mine) - len(pairs),
        "why": _why(mine, theirs, good, base, metric, others),
    }


def _usable(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows that are ok and have the metric, one for each pair: the first of equal ones."""
    good = rows[(rows["status"] == "ok") & rows[metric].notna()]
    return good.drop_duplicates("pair_")


def _why(
    mine: pd.DataFrame,
    theirs: pd.DataFrame,
    good: pd.DataFrame,
    base: pd.DataFrame,
    metric: str,
    others: Sequence[str],
) -> str:
    """Why rows of an arm have no pair."""
    told: list[str] = []
    bad = mine[mine["status"] != "ok"]
    told += [f"{n} {status}" for status, n in bad["status"].value_counts().items()]
    ok = mine[mine["status"] == "ok"]
    null = int(ok[metric].isna().sum())
    told += [f"{null} without {metric}"] if null else []
    twice = len(ok) - null - len(good)
    told += [f"{twice} more than once"] if twice else []
    alone = good[~good["pair_"].isin(base["pair_"])]
    lost = int(alone["pair_"].isin(theirs["pair_"]).sum())
    told += [f"{lost} whose partner is not ok or has no {metric}"] if lost else []
    alone = alone[~alone["pair_"].isin(theirs["pair_"])]
    if len(alone):
        differ = [c for c in others if not set(_exact(alone[c])) <= set(_exact(theirs[c]))]
        reason = f" (none with the same {', '.join(differ)})" if differ else ""
        told.append(f"{len(alone)} without a partner{reason}")
    return ", ".join(told)


def _own(results: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """The compared columns: a group's with its keys."""
    config = _config(results)
    own: list[str] = []
    for name in by:
        checks.choice("column to compare by", name, config)
        group = [c for c in config if c.startswith(f"{name}_")] if _is_group(results, name) else []
        own += [c for c in (name, *group) if c not in own]
    return own


def _is_group(results: pd.DataFrame, name: str) -> bool:
    """Whether a column is a config group's: it holds options, and its keys have columns."""
    return any(str(c).startswith(f"{name}_") for c in results)


def _named(results: pd.DataFrame, own: Sequence[str]) -> pd.Series:
    """The name of each row's arm, as the sheet has it."""
    rows = [c for c in own if _of_direction(c) or c == "seed"]
    named = arms(results[[c for c in own if c not in rows]]) if len(rows) < len(own) else None
    parts = [c + "=" + _exact(results[c]) for c in rows]
    parts = parts if named is None else [named, *parts]
    joined: pd.Series = pd.concat(parts, axis=1).agg(" ".join, axis=1)
    return joined


def _config(results: pd.DataFrame) -> list[str]:
    return [c for c in results.columns if c not in COLUMNS and c != "sweep"]


def _of_direction(column: str) -> bool:
    return column.split("_")[0] in _ROW


def _keys(results: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Text that is equal where all of these columns are."""
    label = results["label"].astype(str)
    parts = [c + "=" + _exact(results[c]) for c in columns]
    joined: pd.Series = pd.concat([label, *parts], axis=1).agg("|".join, axis=1)
    return joined


def _exact(values: pd.Series) -> pd.Series:
    """As text; 2 and 2.0 are equal, and so are None and NaN."""
    numbers = pd.to_numeric(values, errors="coerce")
    text = values.astype(str).where(values.notna(), "")
    exact: pd.Series = text.where(numbers.isna(), numbers.map("{:.17g}".format))
    return exact
