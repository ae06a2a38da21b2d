"""The best arm of a sweep by one metric, and how certainly it is the best."""

from typing import NamedTuple

import pandas as pd

from sweeps.analysis.comparison import compare
from sweeps.analysis.pairing import arm_names
from sweeps.results.better import better

_TO = {"higher": "above", "lower": "below"}


class Best(NamedTuple):
    """The best arm: whether each row belongs to it, and what a summary says."""

    rows: pd.Series
    lines: list[str]


def best_arm(results: pd.DataFrame, by: list[str], metric: str) -> Best:
    """Find the arm that is best by a metric, from paired differences to the first arm.

    Its distance to the next best arm has the interval of `compare`. No arm is the best if it is
    not known which way the metric is better.

    Args:
        results: what `sweeps.load` returns.
        by: the columns that make arms.
        metric: a column of numbers.

    Raises:
        ValueError: there is a single arm, or no pair.
    """
    table = compare(results, by, metric)
    first, paired = str(table["baseline"].iloc[0]), table[table["pairs"] > 0]
    lines = [_paired(first, table)]
    nobody = pd.Series(False, results.index)
    way = better(results, metric)
    if way is None or paired["difference"].isna().all():
        return Best(nobody, lines)
    from_first = {first: 0.0} | dict(zip(paired["arm"], paired["difference"], strict=True))
    best, second = sorted(from_first, key=from_first.__getitem__, reverse=way == "higher")[:2]
    names = arm_names(results, by)
    both = results[names.isin([best, second]).to_numpy()]
    try:
        row = compare(both, by, metric, second).iloc[0]
    except ValueError:  # each has pairs with the first arm alone
        undecided = f"best by {metric}: not decided, {best} has no pair with {second}"
        return Best(nobody, [undecided, *lines])
    distance = f"{abs(row['difference']):.3g} {_TO[way]} {second}"
    return Best(names == best, [f"best by {metric}: {best}, {distance} {_certainty(row)}", *lines])


def _certainty(row: pd.Series) -> str:
    """Return the interval of a difference, as distances, or why there is none."""
    over = f"over {row['directions']} directions"
    if pd.isna(row["low"]):
        return f"(no interval {over}: it takes four that are not all alike)"
    ends = sorted((row["low"], row["high"]), key=abs) if row["low"] * row["high"] > 0 else None
    if ends is None:
        low, high = f"{row['low']:.3g}", f"{row['high']:.3g}"
        return f"(difference in [{low}, {high}] {over}: it may be chance)"
    low, high = (f"{abs(end):.3g}" for end in ends)
    return f"(95 % interval [{low}, {high}] {over})"


def _paired(first: str, table: pd.DataFrame) -> str:
    """Return a line on which arms are compared with the first one in pairs."""
    whole = table[(table["unpaired"] == 0) & (table["baseline_unpaired"] == 0)]
    some = table[(table["pairs"] > 0) & ~table.index.isin(whole.index)]
    alone = table[table["pairs"] == 0]
    said = []
    if len(whole):
        pairs = ", ".join(map(str, whole["pairs"].unique()))
        who = "every arm" if len(whole) == len(table) else ", ".join(whole["arm"])
        said.append(f"{who} with {first} in all {pairs} jobs")
    said += [f"{row.arm} with {first} in {row.pairs} jobs" for row in some.itertuples()]
    if len(alone):
        said.append(f"arms without any pair with {first}: {len(alone)}")
    return "paired by direction and seed: " + "; ".join(said)
