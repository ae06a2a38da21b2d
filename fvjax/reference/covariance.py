"""Covariances: how much to shrink them, their roots, and whether they can be inverted."""

import math
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from fvjax import checks
from fvjax.affine_map import AffineMap
from fvjax.reference.moments import FOLDS, Matrix, Statistics, moments

Shrinkage = Literal["cross_validated", "ledoit_wolf"] | float

_TRIED = (0.0, *(10.0 ** np.arange(-4, 0.01, 0.25)).tolist())  # shrinkages, cross-validated
_SINGULAR = 1e-6  # an eigenvalue below this share of the largest is 0: float32 was kept


def shrunk(covariance: Matrix, shrinkage: float) -> Matrix:
    """(1 - s) C + s (trace C / channels) I: Ledoit and Wolf's target, equal variances."""
    checks.not_negative("shrinkage", shrinkage)
    if shrinkage > 1:
        raise ValueError(f"shrinkage must be from 0 to 1, got {shrinkage}")
    level = np.trace(covariance) / len(covariance)
    result: Matrix = (1 - shrinkage) * covariance + shrinkage * level * np.eye(len(covariance))
    return result


def power(covariance: Matrix, exponent: float) -> Matrix:
    """The symmetric power of a covariance with positive eigenvalues: -0.5 whitens."""
    values, axes = np.linalg.eigh(covariance)
    result: Matrix = (axes * values**exponent) @ axes.T
    return result


def components(covariance: Matrix) -> Matrix:
    """The principal components, one in each column, the widest first."""
    return np.linalg.eigh(covariance)[1][:, ::-1]


def whitening(statistics: Statistics, shrinkage: float, layer: str) -> AffineMap:
    """The affine_map in which the layer's activations are white: A = (shrunk covariance)^(-1/2).

    The symmetric root (ZCA): of all whitening matrices it leaves the axes closest to where they
    were.

    Raises:
        ValueError: nothing is shrunk and the covariance has no inverse; how many images it needs.
    """
    if not np.any(statistics.covariance):
        raise ValueError(f"layer {layer!r} never varies on the reference images")
    if shrinkage == 0:
        refuse_singular(statistics, layer)
    return AffineMap(statistics.mean, power(shrunk(statistics.covariance, shrinkage), -0.5))


def condition(covariance: Matrix) -> float:
    """The largest eigenvalue over the smallest; infinite where that is 0 to rounding."""
    values = np.linalg.eigvalsh(covariance)
    return float(values[-1] / values[0]) if values[0] > _SINGULAR * values[-1] else math.inf


def rank(covariance: Matrix) -> int:
    """How many eigenvalues are not 0 to rounding."""
    values = np.linalg.eigvalsh(covariance)
    return int(np.sum(values > _SINGULAR * values[-1]))


def refuse_singular(statistics: Statistics, layer: str) -> None:
    """Refuse statistics of too few images, or of channels that never vary.

    Raises:
        ValueError: saying how many images are needed, or which channels are to blame.
    """
    covariance = statistics.covariance
    channels, found = len(covariance), rank(covariance)
    if found == channels:
        return
    still = np.flatnonzero(np.diag(covariance) <= _SINGULAR * np.diag(covariance).max())
    positions = statistics.count.sum() / statistics.images
    if still.size:
        shown = ", ".join(map(str, still[:5])) + (", ..." if still.size > 5 else "")
        why = f"{still.size} channels never vary on them ({shown})"
    else:
        needed = math.ceil((channels + 1) / positions)
        why = f"at least {max(needed, statistics.images + 1)} images are needed"
    raise ValueError(
        f"the covariance of layer {layer!r} over {statistics.images} images has rank {found} of "
        f"{channels} and no inverse: {why}, or a shrinkage above 0"
    )


def cross_validated(statistics: Statistics) -> float:
    """The shrinkage under which images left out are most likely, as Gaussian.

    Folds are of whole images: positions of one image are alike, so that a fold of positions would
    hold no news.
    """
    splits = [split for split in map(_split(statistics), range(FOLDS)) if split is not None]
    if not splits:
        raise ValueError(
            f"cross-validation needs images in two of {FOLDS} folds at least, got "
            f"{statistics.images} images"
        )
    likelihoods = np.sum([_likelihoods(*split) for split in splits], 0)
    return float(_TRIED[int(np.argmax(likelihoods))])


def _split(statistics: Statistics) -> Any:
    def split(fold: int) -> tuple[Matrix, Matrix, float] | None:
        """Covariance of the other folds, and second moment of this one about their mean."""
        count, mean, scatter = moments(statistics, [f for f in range(FOLDS) if f != fold])
        held, there, around = moments(statistics, [fold])
        if not held or not count:
            return None
        apart = there - mean
        return scatter / count, around / held + np.outer(apart, apart), held

    return split


def _likelihoods(covariance: Matrix, held: Matrix, count: float) -> Float[np.ndarray, "tried"]:
    """Log-likelihood of the held positions under each shrinkage, but for a constant."""
    values, axes = np.linalg.eigh(covariance)
    energy = np.einsum("ij,ik,kj->j", axes, held, axes)  # of the held along each axis
    level, tried = values.mean(), np.array(_TRIED)[:, None]
    spread = (1 - tried) * np.maximum(values, 0)[None] + tried * level
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = -0.5 * count * (np.log(spread) + energy[None] / spread).sum(1)
    usable = spread.min(1) > _SINGULAR * spread.max(1)
    return np.where(usable, fit, -np.inf)


def ledoit_wolf(vectors: Float[np.ndarray, "vectors channels"]) -> float:
    """Ledoit and Wolf's shrinkage, as if all vectors were independent (scikit-learn)."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # takes two seconds to import

    return float(ledoit_wolf_shrinkage(vectors))
