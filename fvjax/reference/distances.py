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
    """Class means of one attribute, in coordinates in which their shared covariance is 1."""

    matrix: Float[Array, "channels channels"]  # (covariance within classes)^(-1/2)
    centroids: Float[Array, "classes channels"]


@dataclass
class ReferenceDistribution:
    """Moments of reference images at one layer and position; shared by all jobs."""

    mean: Float[Array, "channels"]  # of the images' activations
    stddev: Float[Array, "channels"]  # their standard deviation
    center: Float[Array, "channels"]  # mean over all positions
    matrix: Float[Array, "channels channels"]  # whitens the activations
    attributes: tuple[ClassGaussians, ...]  # empty if the reference images have no labels


def fit_distribution(
    statistics: Statistics,
    affine_map: AffineMap,
    shrinkage: float,
    rows: Float[np.ndarray, "images channels"],
) -> ReferenceDistribution:
    """Return the distribution of a layer.

    Args:
        statistics: the layer's statistics.
        affine_map: the map that whitens the layer.
        shrinkage: shrinkage of the covariance within classes.
        rows: each image's activation at the direction's position.
    """
    arrays = {
        "mean": rows.mean(0),
        "stddev": rows.std(0),
        "center": affine_map.mean,
        "matrix": affine_map.matrix,
    }
    fits = [_fit_classes(statistics.means, labels, shrinkage) for labels in statistics.labels.T]
    attributes = tuple(classes for classes in fits if classes is not None)
    return ReferenceDistribution(
        **{k: jnp.asarray(v, jnp.float32) for k, v in arrays.items()}, attributes=attributes
    )


def _fit_classes(means: np.ndarray, labels: np.ndarray, shrinkage: float) -> ClassGaussians | None:
    """Return class means and shared covariance (Lee et al. 2018); None without variance."""
    rows = np.asarray(means, np.float64)
    names = np.unique(labels)
    centroids = np.stack([rows[labels == name].mean(0) for name in names])
    within = rows - centroids[np.searchsorted(names, labels)]
    if len(names) < 2 or not within.any():  # one image per class
        return None
    amount = max(shrinkage, _LEAST_SHRINKAGE)
    matrix = power(shrunk(within.T @ within / len(rows), amount), -0.5)
    return ClassGaussians(
        matrix=jnp.asarray(matrix, jnp.float32),
        centroids=jnp.asarray(centroids @ matrix, jnp.float32),
    )


_LEAST_SHRINKAGE = 1e-3  # a few hundred images seldom span all channels


def standardize_channels(
    a: Float[Array, "channels"], distribution: ReferenceDistribution
) -> Float[Array, "channels"]:
    """Return each channel standardised by the reference images; 0 for a constant channel."""
    varies = distribution.stddev > 0
    stddev = jnp.where(varies, distribution.stddev, 1.0)
    return jnp.where(varies, (a - distribution.mean) / stddev, 0.0)


def reference_metrics(
    activations: Activations,
    direction: Direction,
    layer: Float[Array, "*space channels"],
    whitened: Float[Array, "channels"] | None,
    distribution: ReferenceDistribution,
) -> dict[str, Scalar]:
    """Return the metrics that compare a layer with the reference images, by name.

    Args:
        activations: the network's activations.
        direction: in the network's own space.
        layer: the direction's layer at all positions.
        whitened: the direction in the whitened space; if None, the vector is mapped as a point.
        distribution: the layer's distribution on the reference images.
    """
    a, v = activations_at(activations, direction)
    varying = jnp.maximum(jnp.sum(distribution.stddev > 0), 1)
    excitation = jnp.sum(standardize_channels(jnp.mean(a, 0), distribution)) / varying
    x = white(a, distribution)
    w = white(v, distribution) if whitened is None else whitened[None]
    return {
        "excitation": excitation,
        "whitened_cosine": jnp.mean(jnp.sum(unit(x) * unit(w), -1)),
        "mahalanobis": mahalanobis(a, distribution),
        **class_distances(layer, distribution),
    }


def white(a: Vectors, distribution: ReferenceDistribution) -> Vectors:
    """Return activations in the coordinates in which reference images are white."""
    return (a - distribution.center[None]) @ distribution.matrix


def mahalanobis(a: Vectors, distribution: ReferenceDistribution) -> Scalar:
    """Return the root mean square of the white activations over positions and channels."""
    return jnp.sqrt(jnp.mean(white(a, distribution) ** 2))


def class_distances(
    layer: Float[Array, "*space channels"], distribution: ReferenceDistribution
) -> dict[str, Scalar]:
    """Return distances of the mean activation to class means; empty without labels.

    Returns:
        `class_distance`: the distance to the nearest class, largest over attributes.
        `centroid_margin`: the distance to the second nearest class less that to the nearest,
        smallest over attributes.
    """
    if not distribution.attributes:
        return {}
    pooled = jnp.mean(layer.reshape(-1, layer.shape[-1]), 0)
    distances = [nearest(pooled, attribute) for attribute in distribution.attributes]
    return {
        "class_distance": jnp.max(jnp.stack([first for first, _ in distances])),
        "centroid_margin": jnp.min(jnp.stack([second - first for first, second in distances])),
    }


def nearest(pooled: Float[Array, "channels"], attribute: ClassGaussians) -> tuple[Scalar, Scalar]:
    """Return the distances to the nearest and to the second nearest class."""
    distances = norm((pooled @ attribute.matrix)[None] - attribute.centroids)[:, 0]
    first, second = jnp.sort(distances)[:2]
    return first, second


def standardize_projection(
    value: float, projections: Sequence[float] | np.ndarray
) -> dict[str, float]:
    """Return the rank and scale of a dot product among the reference images' dot products.

    Returns:
        `reference_z`: standard deviations above their mean; NaN if they are constant.
        `reference_percentile`: percentage of reference images with a smaller dot product.
        `reference_ratio`: the value over the largest; NaN if the largest is not positive.
    """
    rows = np.asarray(projections, np.float64)
    stddev, largest = rows.std(), rows.max()
    return {
        "reference_z": (value - rows.mean()) / stddev if stddev > 0 else np.nan,
        "reference_percentile": 100 * float(np.mean(rows < value)),
        "reference_ratio": value / largest if largest > 0 else np.nan,
    }
