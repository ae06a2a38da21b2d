"""Comparison of the arms of a sweep with a baseline.

Differences are first averaged over the pairs (sweeps/analysis/pairing.py) of each direction. The
directions are the clusters, with equal weights.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fvjax import checks
from sweeps.analysis.inference import holm, interval, p_value, rank_biserial
from sweeps.analysis.log_odds import name_scale, to_log_odds
from sweeps.analysis.pairing import Pairs, arm_names, compared_columns, factorize, pair
from sweeps.results.labels import config_columns
from sweeps.results.status import share_begun
from sweeps.results.table import METRICS

_COLUMNS = ["metric", "arm", "baseline", "pairs", "directions", "mean", "mean_baseline"]
_COLUMNS += ["difference", "low", "high", "p", "p_holm", "effect", "begun", "baseline_begun"]
_COLUMNS += [
    "unpaired",
    "unpaired_reason",
    "baseline_unpaired",
    "baseline_unpaired_reason",
    "also_differs",
]


def compare(
    results: pd.DataFrame,
    by: str | Sequence[str],
    metrics: str | Sequence[str],
    baseline: str | None = None,
    log_odds: bool = False,
) -> pd.DataFrame:
    """Compare each arm with the baseline; return a row for each metric and arm.

    Args:
        results: what `sweeps.load` returns.
        by: config columns that are compared; a group (`objective`) stands for its keys too.
        metrics: columns of numbers.
        baseline: the arm that others are compared with; the first in the table if None.
        log_odds: compare the log odds of the metrics, which are between 0 and 1.

    Returns:
        `metric arm baseline`; `pairs directions`; `mean mean_baseline difference` over directions;
        `low high`, the 95 % bootstrap interval of the difference; `p p_holm`, by
        `inference.p_value`, corrected for all rows; `effect`, the rank-biserial correlation;
        `begun baseline_begun`, the shares of pictures that are neither dead nor collapsed;
        `unpaired unpaired_reason baseline_unpaired baseline_unpaired_reason`, rows of the arm and
        of the baseline without a pair; `also_differs`, columns other than the compared ones that
        are one value in the arm and another in the baseline. An interval takes four directions
        that are not all alike, p and effect two: null where there are fewer.

    Raises:
        ValueError: a column, metric or arm is unknown; there is a single arm, or no pair; log odds
            are asked for of numbers that are no probabilities.
    """
    by, metrics = ([x] if isinstance(x, str) else list(dict.fromkeys(x)) for x in (by, metrics))
    own = compared_columns(results, by)
    results = results.reset_index(drop=True)
    numbers = {metric: _numbers(results, metric) for metric in metrics}
    if log_odds:
        numbers = {metric: to_log_odds(values, metric) for metric, values in numbers.items()}
    results = results.assign(**numbers)
    name = arm_names(results, by)
    arms = list(dict.fromkeys(name.dropna()))
    if len(arms) < 2:
        raise ValueError(f"nothing to compare by {', '.join(by)}: {' '.join(arms) or 'no arm'}")
    first = arms[0] if baseline is None else baseline
    checks.choice("baseline", first, arms)
    others = [c for c in config_columns(results) if c not in own and c not in metrics]
    code, base = factorize(results, others), (name == first).to_numpy()
    begun = results["status"].groupby(name).agg(share_begun)
    table = pd.DataFrame(
        {"metric": name_scale(metric, log_odds), "arm": arm, "baseline": first}
        | {"begun": begun[arm], "baseline_begun": begun[first]}
        | _summary_row(pair(results, metric, (name == arm).to_numpy(), base, code))
        for metric in metrics
        for arm in arms
        if arm != first
    )
    if not table["pairs"].any():
        raise ValueError(
            f"{first} has no pair with {table['arm'][0]}: {table['unpaired_reason'][0]}"
        )
    table["p_holm"] = holm(table["p"].tolist())
    return table[_COLUMNS]


def _numbers(results: pd.DataFrame, metric: str) -> pd.Series:
    """Return a column as floats."""
    if metric not in results:
        checks.choice("metric", metric, [c for c in results if c in METRICS])
    try:
        return results[metric].astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metric must be a column of numbers, got {metric!r}") from error


def _summary_row(pairs: Pairs) -> dict[str, Any]:
    """Summarize the pairs of one arm and metric as a row of the table."""
    means = pairs.values.groupby("direction")[["arm", "base"]].mean()
    differences = (means["arm"] - means["base"]).to_numpy()
    mean, low, high = interval(differences)
    return {
        "pairs": len(pairs.values),
        "directions": len(means),
        "mean": means["arm"].mean(),
        "mean_baseline": means["base"].mean(),
        "difference": mean,
        "low": low,
        "high": high,
        "p": p_value(differences),
        "effect": rank_biserial(differences),
        "unpaired": pairs.unpaired,
        "unpaired_reason": pairs.unpaired_reason,
        "baseline_unpaired": pairs.baseline_unpaired,
        "baseline_unpaired_reason": pairs.baseline_unpaired_reason,
        "also_differs": pairs.also_differs,
    }
