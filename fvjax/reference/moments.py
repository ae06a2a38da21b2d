"""Statistics of a layer: moments over positions, and every reference image's activation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from fvjax import checks
from fvjax.data.image_sets import Batch
from fvjax.models.model import Model
from fvjax.models.weights import check_finite, check_names_and_shapes
from fvjax.positions import Index, center_index

FOLDS = 5  # image n is in fold n % FOLDS, for the cross-validation of the shrinkage
_MOST, _MOST_SCATTER = 1e12, 1e36  # whose merged moments are finite in float32
_ROUNDING = 1e-4  # largest difference of two elements that are equal but for rounding, of float32
Matrix = Float[np.ndarray, "channels channels"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of one layer over reference images, on the host.

    Centred moments of each fold are float64, so that merging is exact up to rounding in any order.
    `means` (over positions) and `centers` (at `center_index`) hold each image's activation,
    float32, in the order of `numbers`.
    """

    count: Float[np.ndarray, "folds"]  # positions
    mean_by_fold: Float[np.ndarray, "folds channels"]
    scatter_by_fold: Float[np.ndarray, "folds channels channels"]  # about the fold's mean, summed
    maximum: Float[np.ndarray, "channels"]  # over all positions
    numbers: Int[np.ndarray, "images"]
    means: Float[np.ndarray, "images channels"]
    centers: Float[np.ndarray, "images channels"]
    labels: Int[np.ndarray, "images attributes"]  # no columns if the images have no labels

    @property
    def channels(self) -> int:
        """The number of channels of the layer."""
        return self.maximum.size

    @property
    def images(self) -> int:
        """The number of images."""
        return self.numbers.size

    @property
    def mean(self) -> Float[np.ndarray, "channels"]:
        """The mean activation over all positions of all images."""
        return moments(self, range(FOLDS))[1]

    @property
    def covariance(self) -> Matrix:
        """The covariance over all positions of all images, divided by their number."""
        count, _, scatter = moments(self, range(FOLDS))
        covariance: Matrix = scatter / count
        return covariance

    def quantiles(self, shares: Sequence[float], centered: bool) -> Float[np.ndarray, "q channels"]:
        """Return each channel's quantiles over images, at the centre or of means over positions."""
        rows = self.centers if centered else self.means
        quantiles: np.ndarray = np.quantile(rows, shares, axis=0)
        return quantiles

    @classmethod
    def from_arrays(
        cls, where: str, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
    ) -> "Statistics":
        """Return the statistics that `arrays` wrote, checked.

        Args:
            where: the arrays' name for people: a file, or a layer in the cache.
            arrays: the arrays by name.
            shapes: what `statistics_shapes` returns for the layer and the images.

        Raises:
            ValueError: arrays that are missing, extra, misshapen, not finite or no statistics.
        """
        check_names_and_shapes(where, arrays, shapes)
        check_finite(where, arrays)
        for name in ("numbers", "labels"):
            if arrays[name].dtype.kind not in "iu" or (arrays[name] < 0).any():
                raise ValueError(f"{where}: {name!r} must hold integers of at least 0")
        if (arrays["count"] < 0).any() or not arrays["count"].any():
            raise ValueError(f"{where}: 'count' must hold the numbers of positions")
        for name, array in arrays.items():
            if np.abs(array).max(initial=0) > (_MOST_SCATTER if "scatter" in name else _MOST):
                raise ValueError(f"{where}: {name!r} holds numbers too large for statistics")
        for scatter in arrays["scatter_by_fold"]:
            most = np.abs(np.diag(scatter)).max() * _ROUNDING
            if (np.diag(scatter) < 0).any() or np.abs(scatter - scatter.T).max() > most:
                raise ValueError(
                    f"{where}: 'scatter_by_fold' must hold symmetric, positive matrices"
                )
        return cls(**arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields as float32 and integer arrays, to be stored in a file."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        return {k: x.astype(np.float32) if x.dtype.kind == "f" else x for k, x in arrays.items()}


def statistics_shapes(channels: int, images: int, attributes: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of `Statistics`, by name."""
    return {
        "count": (FOLDS,),
        "mean_by_fold": (FOLDS, channels),
        "scatter_by_fold": (FOLDS, channels, channels),
        "maximum": (channels,),
        "numbers": (images,),
        "means": (images, channels),
        "centers": (images, channels),
        "labels": (images, attributes),
    }


def moments(statistics: Statistics, folds: Iterable[int]) -> "Moments":
    """Return count of positions, mean and scatter of folds (Chan, Golub and LeVeque 1983)."""
    total = 0.0, np.zeros(statistics.channels), np.zeros((statistics.channels,) * 2)
    for fold in folds:
        total = _merge_moments(total, _fold_moments(statistics, fold))
    return total


Moments = tuple[float, np.ndarray, np.ndarray]  # count, mean, scatter


def _fold_moments(statistics: Statistics, fold: int) -> Moments:
    mean, scatter = statistics.mean_by_fold[fold], statistics.scatter_by_fold[fold]
    return float(statistics.count[fold]), mean, scatter


def _merge_moments(first: Moments, second: Moments) -> Moments:
    (n, first_mean, first_scatter), (m, second_mean, second_scatter) = first, second
    count = n + m
    if not count:
        return first
    shift = second_mean - first_mean
    mean = first_mean + shift * (m / count)
    return count, mean, first_scatter + second_scatter + np.outer(shift, shift) * (n * m / count)


def collect(model: Model, batches: Iterable[Batch], layers: Sequence[str]) -> dict[str, Statistics]:
    """Return the statistics of several layers; one batch of images is in memory at a time.

    Raises:
        ValueError: an unknown layer, or no images.
    """
    for layer in layers:
        checks.choice("layer", layer, model.layers)
    statistics: dict[str, Statistics] = {}
    for batch in batches:
        shapes = model.shapes(batch.images.shape[1:3])
        activations = forward(model, jnp.asarray(batch.images), tuple(layers))
        for layer in layers:
            center = center_index(shapes, layer)
            part = observed(np.asarray(activations[layer]), batch.numbers, batch.labels, center)
            known = statistics.get(layer)
            statistics[layer] = part if known is None else merged(known, part)
    if not statistics:
        raise ValueError("there are no reference images")
    return statistics


@partial(jax.jit, static_argnums=2)
def forward(model: Model, images: Array, layers: tuple[str, ...]) -> dict[str, Array]:
    """Return the activations of some layers for several images."""

    def of_image(image: Array) -> dict[str, Array]:
        activations = model(image)
        return {layer: activations[layer] for layer in layers}

    return jax.vmap(of_image)(images)


def observed(
    activations: Float[np.ndarray, "images *space channels"],
    numbers: Int[np.ndarray, "images"],
    labels: Int[np.ndarray, "images attributes"],
    center: Index | None = None,
) -> Statistics:
    """Return the statistics of a batch of images with unique `numbers`.

    The middle of each axis is the centre if `center` is None.
    """
    images, *space, channels = activations.shape
    place: Index = tuple(side // 2 for side in space) if center is None else center
    flat = int(np.ravel_multi_index(place, space)) if space else 0
    rows = activations.reshape(images, -1, channels).astype(np.float64)
    count, mean, scatter = np.zeros(FOLDS), np.zeros((FOLDS, channels)), []
    for fold in range(FOLDS):
        fold_rows = rows[numbers % FOLDS == fold].reshape(-1, channels)
        count[fold] = len(fold_rows)
        mean[fold] = fold_rows.mean(0) if len(fold_rows) else 0
        scatter.append((fold_rows - mean[fold]).T @ (fold_rows - mean[fold]))
    order = np.argsort(numbers)
    return Statistics(
        count=count,
        mean_by_fold=mean,
        scatter_by_fold=np.stack(scatter),
        maximum=rows.max((0, 1)).astype(np.float32),
        numbers=np.asarray(numbers)[order],
        means=rows.mean(1)[order].astype(np.float32),
        centers=rows[order, flat].astype(np.float32),
        labels=np.asarray(labels)[order],
    )


def merged(first: Statistics, second: Statistics) -> Statistics:
    """Return the statistics of the images of two disjoint sets.

    Raises:
        ValueError: an image that is in both sets.
    """
    shared = np.intersect1d(first.numbers, second.numbers)
    if shared.size:
        raise ValueError(f"image {shared[0]} is in both statistics that are to be merged")
    parts = [
        _merge_moments(_fold_moments(first, f), _fold_moments(second, f)) for f in range(FOLDS)
    ]
    numbers = np.concatenate([first.numbers, second.numbers])
    order = np.argsort(numbers)

    def rows(name: str) -> Any:
        return np.concatenate([getattr(first, name), getattr(second, name)])[order]

    return Statistics(
        count=np.array([count for count, _, _ in parts]),
        mean_by_fold=np.stack([mean for _, mean, _ in parts]),
        scatter_by_fold=np.stack([scatter for _, _, scatter in parts]),
        maximum=np.maximum(first.maximum, second.maximum),
        numbers=numbers[order],
        means=rows("means"),
        centers=rows("centers"),
        labels=rows("labels"),
    )
