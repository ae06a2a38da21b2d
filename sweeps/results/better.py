"""Which way a metric is better, where it is known."""

import pandas as pd

from sweeps.results.table import METRICS

_LOWER = ("orthogonal", "rank", "inversion_error", "class_distance", "ambiguity", "decoys")
_NEITHER = (  # they describe a picture: neither many nor few of them are better
    *("initial_score", "norm", "occlusion_support", "previous_l1", "previous_l2", "excitation"),
    *("mahalanobis", "optimum_purity", "optimum_strength", "best_reference_purity"),
    *("best_reference_recovered", "best_reference_strength", "total_variation"),
    *("high_frequency", "saturated"),
)
_SIGN = "objective_sign"


def better(results: pd.DataFrame, metric: str) -> str | None:
    """Return `higher` or `lower`, whichever is better.

    None for a metric that only describes, for a user's metric, and for any metric of a sweep in
    which some objective is minimised.
    """
    minimised = _SIGN in results and bool((pd.to_numeric(results[_SIGN]) < 0).any())
    if minimised or metric not in METRICS or metric in _NEITHER:
        return None
    return "lower" if metric in _LOWER else "higher"
