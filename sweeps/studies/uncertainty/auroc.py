"""The area under the ROC curve of detectors, with an interval over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

LEAST = 10  # positives and negatives that each fold must have
_SHARE = 0.95  # of the interval
_SEED = 0  # of the bootstrap

Weights = Float[np.ndarray, "resamples pictures"]


@dataclass(frozen=True)
class Contrast:
    """Images scored by one fit, and which of them the detectors should find."""

    images: Int[np.ndarray, "pictures"]  # equal for pictures made of the same image
    positive: Bool[np.ndarray, "pictures"]
    scores: Mapping[Any, Float[np.ndarray, "pictures"]]  # of each detector


def estimates(folds: Sequence[Contrast], resamples: int) -> dict[Any, dict[str, float | None]]:
    """Return each detector's `auroc` and its bootstrap interval, `low` to `high`.

    The area is the mean over folds, since the scores of two fits are not comparable. It is None if
    a fold has fewer than `LEAST` positives or negatives.
    """
    if any(min(fold.positive.sum(), (~fold.positive).sum()) < LEAST for fold in folds):
        return {key: dict.fromkeys(("auroc", "low", "high")) for key in folds[0].scores}
    draws = [_draws(fold, resamples, place) for place, fold in enumerate(folds)]
    once = [np.ones((1, fold.positive.size)) for fold in folds]
    tails = ((1 - _SHARE) / 2, (1 + _SHARE) / 2)
    intervals: dict[Any, dict[str, float | None]] = {}
    for key in folds[0].scores:
        (area,), drawn = _mean(folds, key, once), _mean(folds, key, draws)
        low, high = np.nanquantile(drawn, tails)
        intervals[key] = {"auroc": float(area), "low": float(low), "high": float(high)}
    return intervals


def _draws(contrast: Contrast, resamples: int, place: int) -> Weights:
    """Return how often each picture occurs in each resample of the images."""
    names, places = np.unique(contrast.images, return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    counts = np.random.default_rng([_SEED, place]).multinomial(len(names), shares, resamples)
    drawn: np.ndarray = counts[:, places].astype(float)
    return drawn


def _mean(folds: Sequence[Contrast], key: Any, weights: Sequence[Weights]) -> np.ndarray:
    pairs = zip(folds, weights, strict=True)
    mean: np.ndarray = np.mean([areas(f.scores[key], f.positive, w) for f, w in pairs], 0)
    return mean


def areas(
    scores: Float[np.ndarray, "pictures"], positive: Bool[np.ndarray, "pictures"], weights: Weights
) -> Float[np.ndarray, "resamples"]:
    """Return the share of pairs in which the positive scores higher, for each weighting.

    Ties count half. The result equals scikit-learn's roc_auc_score with `sample_weight`, for many
    weightings at once.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # of equal scores
    up, down = (
        np.add.reduceat((weights * which)[:, order], starts, axis=1)
        for which in (positive, ~positive)
    )
    below = np.cumsum(down, 1) - down / 2
    with np.errstate(invalid="ignore"):  # a resample of one kind has no area
        area: np.ndarray = (up * below).sum(1) / (up.sum(1) * down.sum(1))
    return area
