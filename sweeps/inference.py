"""How sure a mean over clusters is: bootstrap intervals, signed ranks, Holm's correction."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata, wilcoxon

LEVEL = 0.95  # of the intervals
_RESAMPLES = 2000
_LEAST = 4  # clusters: of fewer there are hardly any different resamples

Values = Float[np.ndarray, "clusters"]


class Interval(NamedTuple):
    """A mean and its interval, NaN where there are fewer than four clusters."""

    mean: float
    low: float
    high: float


def interval(values: Values, seed: int = 0) -> Interval:
    """The mean over independent clusters and its 95 % bootstrap-t interval.

    Each resample of the clusters is studentised by its own standard error (Efron and Tibshirani
    1993, 12.5), which covers better than percentiles where there are few clusters
    (benchmarks/coverage.py). Resamples in which all clusters are the same one have no error and are
    left out.
    """
    x = np.asarray(values, np.float64)
    n = len(x)
    mean = float(x.mean()) if n else np.nan
    if n < _LEAST:
        return Interval(mean, np.nan, np.nan)
    error = x.std(ddof=1) / np.sqrt(n)
    if error == 0:
        return Interval(mean, mean, mean)
    drawn = x[np.random.default_rng(seed).integers(0, n, (_RESAMPLES, n))]
    errors = drawn.std(1, ddof=1) / np.sqrt(n)
    usable = errors > 1e-9 * error
    t = (drawn.mean(1)[usable] - mean) / errors[usable]
    high, low = np.quantile(t, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(mean - low * error), float(mean - high * error))


def signed_ranks(differences: Values) -> tuple[float, float]:
    """Two-sided p of Wilcoxon's signed-rank test, and the matched-pairs rank-biserial correlation.

    The correlation is the share of ranks in favour less the share against, -1 ... 1 (Kerby 2014).
    Differences of 0 are left out; p is NaN with fewer than two clusters, 1 where all are 0.
    """
    x = np.asarray(differences, np.float64)
    moved = x[x != 0]
    if len(x) < 2:
        return np.nan, np.nan
    if not len(moved):
        return 1.0, 0.0
    ranks = rankdata(np.abs(moved))
    effect = float(np.sum(ranks * np.sign(moved)) / np.sum(ranks))
    return float(wilcoxon(moved).pvalue), effect


def holm(p: Sequence[float]) -> Float[np.ndarray, "tests"]:
    """p-values corrected for their number by Holm's step-down method; NaN stay and do not count."""
    values = np.asarray(p, np.float64)
    result = np.full(len(values), np.nan)
    real = np.flatnonzero(~np.isnan(values))
    order = real[np.argsort(values[real], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return result
