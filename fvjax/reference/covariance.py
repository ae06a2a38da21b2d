"""Covariances: shrinkage, matrix powers, and the refusal of singular matrices."""

import math
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from fvjax import checks, linalg
from fvjax.affine_map import AffineMap
from fvjax.reference.moments import FOLDS, Matrix, Statistics, moments

Shrinkage = Literal["cross_validated", "ledoit_wolf"] | float

_TRIED = (0.0, *(10.0 ** np.arange(-4, 0.01, 0.25)).tolist())  # shrinkages
_SINGULAR = 1e-6  # eigenvalues below this share of the largest are 0: scatters are float32


def shrunk(covariance: Matrix, shrinkage: float) -> Matrix:
    """Return (1 - s) C + s (trace C / channels) I: shrinkage to equal variances.

    The target is that of Ledoit and Wolf (2004).

    Raises:
        ValueError: a shrinkage outside [0, 1].
    """
    checks.not_negative("shrinkage", shrinkage)
    if shrinkage > 1:
        raise ValueError(f"shrinkage must be from 0 to 1, got {shrinkage}")
    level = np.trace(covariance) / len(covariance)
    result: Matrix = (1 - shrinkage) * covariance + shrinkage * level * np.eye(len(covariance))
    return result


def power(covariance: Matrix, exponent: float) -> Matrix:
    """Return the symmetric power of a covariance with positive eigenvalues: -0.5 whitens."""
    values, axes = linalg.eigh(covariance)
    result: Matrix = (axes * values**exponent) @ axes.T
    return result


def components(covariance: Matrix) -> Matrix:
    """Return the principal components as columns, largest variance first."""
    return linalg.eigh(covariance)[1][:, ::-1]


def whitening(statistics: Statistics, shrinkage: float, layer: str) -> AffineMap:
    """Return the affine map that whitens a layer: A = (shrunk covariance)^(-1/2).

    The symmetric root (ZCA) is, of all whitening matrices, closest to the identity.

    Raises:
        ValueError: shrinkage 0 and a singular covariance; the message gives the images needed.
    """
    if not np.any(statistics.covariance):
        raise ValueError(f"layer {layer!r} never varies on the reference images")
    if shrinkage == 0:
        refuse_singular(statistics, layer)
    return AffineMap(statistics.mean, power(shrunk(statistics.covariance, shrinkage), -0.5))


def condition(covariance: Matrix) -> float:
    """Return the largest eigenvalue over the smallest; infinite if the covariance is singular."""
    values = linalg.eigvalsh(covariance)
    return float(values[-1] / values[0]) if values[0] > _SINGULAR * values[-1] else math.inf


def rank(covariance: Matrix) -> int:
    """Return the number of eigenvalues that are not 0 up to rounding."""
    values = linalg.eigvalsh(covariance)
    return int(np.sum(values > _SINGULAR * values[-1]))


def refuse_singular(statistics: Statistics, layer: str) -> None:
    """Refuse statistics of too few images, or of channels that never vary.

    Raises:
        ValueError: naming the number of images needed, or the constant channels.
    """
    covariance = statistics.covariance
    channels, covariance_rank = len(covariance), rank(covariance)
    if covariance_rank == channels:
        return
    constant = np.flatnonzero(np.diag(covariance) <= _SINGULAR * np.diag(covariance).max())
    positions = statistics.count.sum() / statistics.images
    if constant.size:
        listed = ", ".join(map(str, constant[:5])) + (", ..." if constant.size > 5 else "")
        reason = f"{constant.size} channels never vary on them ({listed})"
    else:
        needed = math.ceil((channels + 1) / positions)
        reason = f"at least {max(needed, statistics.images + 1)} images are needed"
    raise ValueError(
        f"the covariance of layer {layer!r} over {statistics.images} images has rank "
        f"{covariance_rank} of {channels} and no inverse: {reason}, or a shrinkage above 0"
    )


def cross_validated(statistics: Statistics) -> float:
    """Return the shrinkage of highest Gaussian likelihood for held-out images.

    A fold holds complete images: positions of one image are correlated, so that held-out positions
    would not be independent.

    Raises:
        ValueError: images in fewer than two folds.
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
        """Return the other folds' covariance, and this fold's second moment about their mean."""
        count, mean, scatter = moments(statistics, [f for f in range(FOLDS) if f != fold])
        held_out, fold_mean, fold_scatter = moments(statistics, [fold])
        if not held_out or not count:
            return None
        shift = fold_mean - mean
        return scatter / count, fold_scatter / held_out + np.outer(shift, shift), held_out

    return split


def _likelihoods(
    covariance: Matrix, held_out: Matrix, count: float
) -> Float[np.ndarray, "candidates"]:
    """Return the held-out positions' log-likelihood under each shrinkage, less a constant."""
    values, axes = linalg.eigh(covariance)
    energy = np.sum(axes * (held_out @ axes), 0)  # along each axis
    level, shrinkages = values.mean(), np.array(_TRIED)[:, None]
    spread = (1 - shrinkages) * np.maximum(values, 0)[None] + shrinkages * level
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = -0.5 * count * (np.log(spread) + energy[None] / spread).sum(1)
    usable = spread.min(1) > _SINGULAR * spread.max(1)
    return np.where(usable, fit, -np.inf)


def ledoit_wolf(vectors: Float[np.ndarray, "vectors channels"]) -> float:
    """Return Ledoit and Wolf's shrinkage of vectors taken as independent (scikit-learn)."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # takes two seconds to import

    return float(ledoit_wolf_shrinkage(vectors))
