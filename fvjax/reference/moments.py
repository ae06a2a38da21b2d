"""What a layer does on reference images: moments over positions, and every image's activation."""

from collections.abc import Iterable, Sequence
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

FOLDS = 5  # of images, by number, for the cross-validation of the shrinkage
Matrix = Float[np.ndarray, "channels channels"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of one layer, over reference images that are in no particular order; all on the host.

    Moments are kept for each of `FOLDS` folds of the images, centred, in float64: merging is exact
    to rounding in any order. `means` and `centers` are each image's activation, averaged over its
    positions and at the centre (height//2, width//2), float32, in the order of `numbers`.
    """

    count: Float[np.ndarray, "folds"]  # positions
    mean_by_fold: Float[np.ndarray, "folds channels"]
    scatter_by_fold: Float[np.ndarray, "folds channels channels"]  # about the fold's mean, summed
    maximum: Float[np.ndarray, "channels"]  # over all positions
    numbers: Int[np.ndarray, "images"]
    means: Float[np.ndarray, "images channels"]
    centers: Float[np.ndarray, "images channels"]
    labels: Int[np.ndarray, "images attributes"]  # no attributes where the images have no labels

    @property
    def channels(self) -> int:
        """Of the layer."""
        return self.maximum.size

    @property
    def images(self) -> int:
        """How many were seen."""
        return self.numbers.size

    @property
    def mean(self) -> Float[np.ndarray, "channels"]:
        """Over all positions of all images."""
        return moments(self, range(FOLDS))[1]

    @property
    def covariance(self) -> Matrix:
        """Over all positions of all images, divided by their number."""
        count, _, scatter = moments(self, range(FOLDS))
        covariance: Matrix = scatter / count
        return covariance

    def quantiles(self, shares: Sequence[float], centered: bool) -> Float[np.ndarray, "q channels"]:
        """Of each channel over images: at the centre, or averaged over positions."""
        rows = self.centers if centered else self.means
        found: np.ndarray = np.quantile(rows, shares, axis=0)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """As named arrays, to be kept in a file."""
        found = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        return {k: x.astype(np.float32) if x.dtype.kind == "f" else x for k, x in found.items()}


def moments(statistics: Statistics, folds: Iterable[int]) -> tuple[float, np.ndarray, np.ndarray]:
    """Count of positions, mean and scatter of some folds (Chan, Golub and LeVeque 1983)."""
    total = 0.0, np.zeros(statistics.channels), np.zeros((statistics.channels,) * 2)
    for fold in folds:
        one = (
            statistics.count[fold],
            statistics.mean_by_fold[fold],
            statistics.scatter_by_fold[fold],
        )
        total = _joined(total, one)
    return total


def _joined(one: Any, other: Any) -> tuple[float, np.ndarray, np.ndarray]:
    (n, mean, scatter), (m, other_mean, other_scatter) = one, other
    count = n + m
    if not count:
        return one  # type: ignore[no-any-return]
    apart = other_mean - mean
    mean = mean + apart * (m / count)
    return count, mean, scatter + other_scatter + np.outer(apart, apart) * (n * m / count)


def collect(model: Model, batches: Iterable[Batch], layers: Sequence[str]) -> dict[str, Statistics]:
    """Statistics of several layers, streamed: one batch of images is held at a time."""
    for layer in layers:
        checks.choice("layer", layer, model.layers)
    found: dict[str, Statistics] = {}
    for batch in batches:
        activations = forward(model, jnp.asarray(batch.images), tuple(layers))
        for layer in layers:
            one = observed(np.asarray(activations[layer]), batch.numbers, batch.labels)
            found[layer] = merged(found[layer], one) if layer in found else one
    if not found:
        raise ValueError("there are no reference images")
    return found


@partial(jax.jit, static_argnums=2)
def forward(model: Model, images: Array, layers: tuple[str, ...]) -> dict[str, Array]:
    """Activations of some layers of several images."""

    def one(image: Array) -> dict[str, Array]:
        activations = model(image)
        return {layer: activations[layer] for layer in layers}

    return jax.vmap(one)(images)


def observed(
    activations: Float[np.ndarray, "images *space channels"],
    numbers: Int[np.ndarray, "images"],
    labels: Int[np.ndarray, "images attributes"],
) -> Statistics:
    """Statistics of a batch of images, of which `numbers` are unique names."""
    images, *space, channels = activations.shape
    center = activations[(slice(None), *(side // 2 for side in space))]
    rows = activations.reshape(images, -1, channels).astype(np.float64)
    count, mean, scatter = np.zeros(FOLDS), np.zeros((FOLDS, channels)), []
    for fold in range(FOLDS):
        mine = rows[numbers % FOLDS == fold].reshape(-1, channels)
        count[fold] = len(mine)
        mean[fold] = mine.mean(0) if len(mine) else 0
        scatter.append((mine - mean[fold]).T @ (mine - mean[fold]))
    order = np.argsort(numbers)
    return Statistics(
        count=count,
        mean_by_fold=mean,
        scatter_by_fold=np.stack(scatter),
        maximum=rows.max((0, 1)).astype(np.float32),
        numbers=np.asarray(numbers)[order],
        means=rows.mean(1)[order].astype(np.float32),
        centers=center[order].astype(np.float32),
        labels=np.asarray(labels)[order],
    )


def merged(one: Statistics, other: Statistics) -> Statistics:
    """Statistics of the images of both; an image that is in both is refused."""
    twice = np.intersect1d(one.numbers, other.numbers)
    if twice.size:
        raise ValueError(f"image {twice[0]} is in both statistics that are to be merged")
    parts = [
        _joined(*((s.count[f], s.mean_by_fold[f], s.scatter_by_fold[f]) for s in (one, other)))
        for f in range(FOLDS)
    ]
    numbers = np.concatenate([one.numbers, other.numbers])
    order = np.argsort(numbers)

    def rows(name: str) -> Any:
        return np.concatenate([getattr(one, name), getattr(other, name)])[order]

    return Statistics(
        count=np.array([count for count, _, _ in parts]),
        mean_by_fold=np.stack([mean for _, mean, _ in parts]),
        scatter_by_fold=np.stack([scatter for _, _, scatter in parts]),
        maximum=np.maximum(one.maximum, other.maximum),
        numbers=numbers[order],
        means=rows("means"),
        centers=rows("centers"),
        labels=rows("labels"),
    )
