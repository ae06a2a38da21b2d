"""Inference for means over clusters: bootstrap intervals, sign flips, Holm's correction."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats takes a second to import

LEVEL = 0.95  # of the intervals
_RESAMPLES = 4999  # with the sample itself a multiple of 1 / (1 - LEVEL)
_FLIPS = 13  # clusters of which all 2^13 flips are tried; of more, as many random ones
_LEAST = 4  # clusters: of fewer there are hardly any different resamples

Values = Float[np.ndarray, "clusters"]


class Interval(NamedTuple):
    """A mean and its interval, which is NaN for fewer than four clusters or without spread."""

    mean: float
    low: float
    high: float


def interval(values: Values, seed: int = 0) -> Interval:
    """Return the mean over independent clusters and its 95 % symmetric bootstrap-t interval.

    Each resample of the clusters is studentised by its own standard error, and the interval reaches
    as far to either side as 95 % of these |t| (Hall 1988, "On symmetric bootstrap confidence
    intervals"): of the intervals tried, the one whose worst coverage is best
    (benchmarks/science/coverage.py). A resample without spread has an infinite t; where these are
    more than 5 %, as for a metric that is 0 in most clusters, Student's quantile takes the place of
    the bootstrap's.
    """
    x = np.asarray(values, np.float64)
    n = len(x)
    mean = float(x.mean()) if n else np.nan
    if n < _LEAST or not _varies(x):
        return Interval(mean, np.nan, np.nan)
    error = x.std(ddof=1) / np.sqrt(n)
    reach = float(np.sort(np.abs(_studentised(x, seed)))[round(LEVEL * (_RESAMPLES + 1)) - 1])
    if not np.isfinite(reach):
        reach = float(stdtrit(n - 1, (1 + LEVEL) / 2))
    return Interval(mean, mean - reach * error, mean + reach * error)


def _studentised(x: Values, seed: int) -> Float[np.ndarray, "resamples"]:
    """Return (mean of a resample - mean) / the resample's standard error; infinite without spread.

    Args:
        x: values that differ.
        seed: of the resamples.
    """
    n = len(x)
    drawn = x[np.random.default_rng(seed).integers(0, n, (_RESAMPLES, n))]
    errors = drawn.std(1, ddof=1) / np.sqrt(n)
    flat = errors <= 1e-9 * x.std(ddof=1) / np.sqrt(n)
    moved = drawn.mean(1) - x.mean()
    steps: np.ndarray = np.where(
        flat, np.copysign(np.inf, moved), moved / np.where(flat, 1, errors)
    )
    return steps


def p_value(differences: Values, seed: int = 0) -> float:
    """Return the two-sided p-value of the mean difference: the largest of three tests'.

    They are sign flips, and the symmetric and the equal-tailed bootstrap-t. Flips are exact for
    symmetric differences and reject too often for skewed ones; the bootstrap the other way round.
    No test of a mean holds its level for every skewed distribution (Bahadur and Savage 1956):
    benchmarks/science/coverage.py shows what is left. Studentised flips are no remedy: with the sum
    of squares fixed, they order the flips of one sample as the plain mean does. If p < .05, then
    the interval does not hold 0. With fewer than four clusters, sign flips alone.
    """
    x = np.asarray(differences, np.float64)
    n, flips = len(x), sign_flips(differences, seed)
    if n < _LEAST or not _varies(x):
        return flips
    observed = x.mean() / (x.std(ddof=1) / np.sqrt(n))
    drawn = _studentised(x, seed)
    both = (1 + np.sum(np.abs(drawn) >= abs(observed))) / (_RESAMPLES + 1)
    tails = [1 + np.sum(drawn <= observed), 1 + np.sum(drawn >= observed)]
    equal = 2 * min(tails) / (_RESAMPLES + 1)
    if np.mean(np.isinf(drawn)) > 1 - LEVEL:  # as for the interval
        both = equal = 2 * float(stdtr(n - 1, -abs(observed)))
    return float(min(1, max(flips, both, equal)))


def _varies(x: Values) -> bool:
    """Return whether values differ by more than rounding."""
    return bool(np.ptp(x) > 1e-9 * np.abs(x).max())


def sign_flips(differences: Values, seed: int = 0) -> float:
    """Return the two-sided p-value of the mean difference, by flipping the signs of clusters.

    The share of flips whose mean is at least as far from 0: exact where the distribution is
    symmetric about 0, as it is when two arms do the same, and for a mean of 0 nearly right in
    large samples even where it is not (Romano 1990), unlike ranks. NaN with fewer than two
    clusters.
    """
    x = np.asarray(differences, np.float64)
    n = len(x)
    if n < 2:
        return np.nan
    if n <= _FLIPS:
        minus = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        minus = np.random.default_rng(seed).integers(0, 2, (2**_FLIPS, n))
        minus[0] = 0  # the observed signs are one of the flips
    sums = np.abs((1 - 2 * minus) @ x)
    return float(np.mean(sums >= sums[0] - 1e-9 * np.abs(x).sum()))


def rank_biserial(differences: Values) -> float:
    """Return the matched-pairs rank-biserial correlation, from -1 to 1.

    The ranks of |difference| in favour less the ranks against, as a share of all ranks (Kerby
    2014). Differences of 0 are left out. NaN with fewer than two clusters.
    """
    x = np.asarray(differences, np.float64)
    moved = x[x != 0]
    if len(x) < 2:
        return np.nan
    ranks = pd.Series(np.abs(moved)).rank().to_numpy()
    return float(np.sum(ranks * np.sign(moved)) / max(np.sum(ranks), 1))


def holm(p: Sequence[float]) -> Float[np.ndarray, "tests"]:
    """Correct p-values for their number by Holm's step-down method; NaN stay and do not count."""
    values = np.asarray(p, np.float64)
    result = np.full(len(values), np.nan)
    real = np.flatnonzero(~np.isnan(values))
    order = real[np.argsort(values[real], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return result
