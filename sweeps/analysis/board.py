"""A leaderboard of families: means, intervals, differences to a baseline, and frontiers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fvjax import checks
from sweeps.analysis.inference import holm, interval, p_value, rank_biserial

_AGAINST = ("difference", "difference_low", "difference_high", "p", "effect")


def board(chosen: pd.DataFrame, baseline: str, beside: Sequence[str] = ()) -> pd.DataFrame:
    """Return a row for each condition and family.

    Args:
        chosen: what `cross_fitting.choose` returns.
        baseline: the family that others are compared with.
        beside: columns whose means are reported too.

    Returns:
        `condition family clusters`; `metric` with `low high`, its 95 % interval over clusters;
        `strength`; `pictures blank`; means of `beside`; `difference difference_low
        difference_high` of the metric to the baseline over clusters that both have, `p p_holm`
        corrected for all rows, `effect`, the rank-biserial correlation; `settings`, the chosen.
    """
    checks.choice("baseline", baseline, list(dict.fromkeys(chosen["family"])))
    rows = []
    for condition, part in chosen.groupby("condition", sort=False):
        base = part[part["family"] == baseline].set_index("cluster")["metric"]
        for family, own in part.groupby("family", sort=False):
            metric = own.set_index("cluster")["metric"]
            mean, low, high = interval(metric.dropna().to_numpy())
            row = {"condition": condition, "family": family, "clusters": len(own)}
            row |= {"metric": mean, "low": low, "high": high, "strength": own["strength"].mean()}
            row |= {"pictures": own["pictures"].sum(), "blank": own["blank"].sum()}
            row |= {name: own[name].mean() for name in beside}
            row |= _against(metric, base if family != baseline else None)
            rows.append(row | {"settings": "; ".join(dict.fromkeys(own["setting"]))})
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].tolist())
    return table


def _against(metric: pd.Series, base: pd.Series | None) -> dict[str, float]:
    if base is None:
        return dict.fromkeys(_AGAINST, np.nan)
    differences = (metric - base).dropna().to_numpy()
    found = (*interval(differences), p_value(differences), rank_biserial(differences))
    return dict(zip(_AGAINST, found, strict=True))


def frontier(arms: pd.DataFrame) -> pd.DataFrame:
    """Return every setting of every family: its strength and its metric, over all clusters.

    Columns: `condition family setting clusters strength metric low high pictures blank`, and
    `on_frontier`: no setting of the same family has more of both.
    """
    rows = []
    for keys, own in arms.groupby(["condition", "family", "setting"], sort=False):
        mean, low, high = interval(own["metric"].dropna().to_numpy())
        row = dict(zip(("condition", "family", "setting"), keys, strict=True))
        row |= {"clusters": len(own), "strength": own["strength"].mean()}
        row |= {"metric": mean, "low": low, "high": high}
        rows.append(row | {"pictures": own["pictures"].sum(), "blank": own["blank"].sum()})
    table = pd.DataFrame(rows)
    table["on_frontier"] = False
    for _, part in table.groupby(["condition", "family"], sort=False):
        table.loc[part.index, "on_frontier"] = _undominated(part)
    return table


def _undominated(part: pd.DataFrame) -> list[bool]:
    pairs = part[["strength", "metric"]].to_numpy(float)
    better = [np.all(pairs >= pair, 1) & np.any(pairs > pair, 1) for pair in pairs]
    return [
        bool(np.isfinite(pair).all() and not some.any())
        for pair, some in zip(pairs, better, strict=True)
    ]


def settings_tried(arms: pd.DataFrame) -> dict[str, int]:
    """Return each family's number of settings, the largest over conditions."""
    counts = arms.groupby(["family", "condition"], sort=False)["setting"].nunique()
    return {str(f): int(n) for f, n in counts.groupby(level=0, sort=False).max().items()}
