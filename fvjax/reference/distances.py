"""Distances of activations to those of reference images and to their classes."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax.activations import norm, unit
from fvjax.affine_map import AffineMap
from fvjax.direction import Direction, activations_at
from fvjax.pytree import dataclass
from fvjax.reference.covariance import power, shrunk
from fvjax.reference.moments import Statistics
from fvjax.types import Activations, Scalar

Vectors = Float[Array, "positions channels"]


@dataclass
class ClassGaussians:
    """The classes of one label, in coordinates in which their shared covariance is 1."""

    matrix: Float[Array, "channels channels"]  # (covariance within classes)^(-1/2)
    centroids: Float[Array, "classes channels"]


@dataclass
class ReferenceDistribution:
    """What reference images do at one layer and the objective's positions; shared by all jobs."""

    mean: Float[Array, "channels"]  # of images' activations
    stddev: Float[Array, "channels"]  # their standard deviation
    center: Float[Array, "channels"]  # mean over all positions
    matrix: Float[Array, "channels channels"]  # whitens them
    attributes: tuple[ClassGaussians, ...]  # none where the reference images have no labels


def fit_distribution(
    statistics: Statistics,
    affine_map: AffineMap,
    shrinkage: float,
    rows: Float[np.ndarray, "images channels"],
) -> ReferenceDistribution:
    """The distribution of a layer.

    Args:
        statistics: of the layer.
        affine_map: in which the layer is white.
        shrinkage: of the covariance within classes.
        rows: each image's activation at the direction's positions.
    """
    arrays = {
        "mean": rows.mean(0),
        "stddev": rows.std(0),
        "center": affine_map.mean,
        "matrix": affine_map.matrix,
    }
    attributes = [_classes(statistics.means, labels, shrinkage) for labels in statistics.labels.T]
    known = tuple(attribute for attribute in attributes if attribute is not None)
    return ReferenceDistribution(
        **{k: jnp.asarray(v, jnp.float32) for k, v in arrays.items()}, attributes=known
    )


def _classes(means: np.ndarray, labels: np.ndarray, shrinkage: float) -> ClassGaussians | None:
    """Centroids and shared covariance of images' mean activations (Lee et al. 2018), if any."""
    rows = np.asarray(means, np.float64)
    names = np.unique(labels)
    centroids = np.stack([rows[labels == name].mean(0) for name in names])
    within = rows - centroids[np.searchsorted(names, labels)]
    if len(names) < 2 or not within.any():  # one image of each class tells of no spread
        return None
    amount = max(shrinkage, _LEAST)
    matrix = power(shrunk(within.T @ within / len(rows), amount), -0.5)
    return ClassGaussians(
        matrix=jnp.asarray(matrix, jnp.float32),
        centroids=jnp.asarray(centroids @ matrix, jnp.float32),
    )


_LEAST = 1e-3  # shrinkage: a few hundred images seldom span all channels


def standardize_channels(
    a: Float[Array, "channels"], distribution: ReferenceDistribution
) -> Float[Array, "channels"]:
    """Of each channel, standardised by reference images; 0 for one that is the same on all."""
    alive = distribution.stddev > 0
    return jnp.where(
        alive, (a - distribution.mean) / jnp.where(alive, distribution.stddev, 1.0), 0.0
    )


def reference_metrics(
    activations: Activations,
    direction: Direction,
    whole: Float[Array, "*space channels"],
    whitened: Float[Array, "channels"] | None,
    distribution: ReferenceDistribution,
) -> dict[str, Scalar]:
    """How the objective's positions, and the whole layer, stand to the reference images.

    Args:
        activations: at the objective's positions.
        direction: in the plain space.
        whole: the layer, all positions.
        whitened: the direction in the whitened space; None for one of full shape, a point.
        distribution: of the layer.
    """
    a, v = activations_at(activations, direction)
    alive = distribution.stddev > 0
    excitation = jnp.sum(standardize_channels(jnp.mean(a, 0), distribution)) / jnp.maximum(
        jnp.sum(alive), 1
    )
    x = white(a, distribution)
    w = white(v, distribution) if whitened is None else whitened[None]
    return {
        "excitation": excitation,
        "whitened_cosine": jnp.mean(jnp.sum(unit(x) * unit(w), -1)),
        "mahalanobis": mahalanobis(a, distribution),
        **class_distances(whole, distribution),
    }


def white(a: Vectors, distribution: ReferenceDistribution) -> Vectors:
    """Activations in the coordinates in which reference images are white."""
    return (a - distribution.center[None]) @ distribution.matrix


def mahalanobis(a: Vectors, distribution: ReferenceDistribution) -> Scalar:
    """Root mean square, over positions and channels, of the white activation; no class is asked."""
    return jnp.sqrt(jnp.mean(white(a, distribution) ** 2))


def class_distances(
    whole: Float[Array, "*space channels"], distribution: ReferenceDistribution
) -> dict[str, Scalar]:
    """Of the mean activation, over all labels; nothing where the reference images have none.

    Returns:
        class_distance, the largest distance to the nearest class; centroid_margin, the smallest
        difference between the distances to the second nearest and to the nearest.
    """
    if not distribution.attributes:
        return {}
    pooled = jnp.mean(whole.reshape(-1, whole.shape[-1]), 0)
    distances = [nearest(pooled, attribute) for attribute in distribution.attributes]
    return {
        "class_distance": jnp.max(jnp.stack([one for one, _ in distances])),
        "centroid_margin": jnp.min(jnp.stack([two - one for one, two in distances])),
    }


def nearest(pooled: Float[Array, "channels"], attribute: ClassGaussians) -> tuple[Scalar, Scalar]:
    """Distance to the nearest and to the second nearest class."""
    apart = norm((pooled @ attribute.matrix)[None] - attribute.centroids)[:, 0]
    first, second = jnp.sort(apart)[:2]
    return first, second


def standardize_projection(
    value: float, projections: Sequence[float] | np.ndarray
) -> dict[str, float]:
    """Where a dot product stands among the reference images' own.

    Returns:
        reference_z, in their standard deviations above their mean; reference_percentile, the share of
        them that it exceeds, in percent; reference_ratio, over the largest. NaN where that would
        divide by 0 or compare with a largest that is not positive.
    """
    rows = np.asarray(projections, np.float64)
    spread, most = rows.std(), rows.max()
    return {
        "reference_z": (value - rows.mean()) / spread if spread > 0 else np.nan,
        "reference_percentile": 100 * float(np.mean(rows < value)),
        "reference_ratio": value / most if most > 0 else np.nan,
    }
