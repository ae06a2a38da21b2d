"""The area under the ROC curve of detectors, with an interval over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

LEAST = 10  # of each kind in each fold: the area of fewer says nothing
_SHARE = 0.95  # of the interval
_SEED = 0  # of the bootstrap

Weights = Float[np.ndarray, "resamples pictures"]


@dataclass(frozen=True)
class Contrast:
    """EvaluationSet judged by one fit, and which of them the detectors should find."""

    images: Int[np.ndarray, "pictures"]  # equal for pictures made of the same image
    positive: Bool[np.ndarray, "pictures"]
    scores: Mapping[Any, Float[np.ndarray, "pictures"]]  # of each detector


def estimates(folds: Sequence[Contrast], resamples: int) -> dict[Any, dict[str, float | None]]:
    """Each detector's `auroc` and its bootstrap interval, `low` to `high`.

    The mean over folds, since the scores of two fits do not compare. None where a fold has fewer
    than `LEAST` of a kind.
    """
    if any(min(one.positive.sum(), (~one.positive).sum()) < LEAST for one in folds):
        return {key: dict.fromkeys(("auroc", "low", "high")) for key in folds[0].scores}
    draws = [_draws(one, resamples, place) for place, one in enumerate(folds)]
    once = [np.ones((1, one.positive.size)) for one in folds]
    tails = ((1 - _SHARE) / 2, (1 + _SHARE) / 2)
    found: dict[Any, dict[str, float | None]] = {}
    for key in folds[0].scores:
        (whole,), drawn = _mean(folds, key, once), _mean(folds, key, draws)
        low, high = np.nanquantile(drawn, tails)
        found[key] = {"auroc": float(whole), "low": float(low), "high": float(high)}
    return found


def _draws(contrast: Contrast, resamples: int, place: int) -> Weights:
    """How often each picture is in each resample of the images."""
    names, places = np.unique(contrast.images, return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    counts = np.random.default_rng([_SEED, place]).multinomial(len(names), shares, resamples)
    drawn: np.ndarray = counts[:, places].astype(float)
    return drawn


def _mean(folds: Sequence[Contrast], key: Any, weights: Sequence[Weights]) -> np.ndarray:
    each = zip(folds, weights, strict=True)
    found: np.ndarray = np.mean([areas(one.scores[key], one.positive, w) for one, w in each], 0)
    return found


def areas(
    scores: Float[np.ndarray, "pictures"], positive: Bool[np.ndarray, "pictures"], weights: Weights
) -> Float[np.ndarray, "resamples"]:
    """Under each weighting, the share of pairs in which the positive scores higher; ties half.

    What scikit-learn's roc_auc_score finds with `sample_weight`, for many weightings at once.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # of equal scores
    up, down = (
        np.add.reduceat((weights * which)[:, order], starts, axis=1)
        for which in (positive, ~positive)
    )
    below = np.cumsum(down, 1) - down / 2
    with np.errstate(invalid="ignore"):  # a resample of one kind has no area
        found: np.ndarray = (up * below).sum(1) / (up.sum(1) * down.sum(1))
    return found
