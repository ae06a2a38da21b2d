"""Directions from reference images: class centroids, means of similar vectors, factors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from fvjax import checks
from fvjax.direction import Direction
from fvjax.sources.direction_info import DirectionInfo, DirectionSource, Kind
from fvjax.sources.setup import Setup

Vectors = Float[np.ndarray, "vectors channels"]
Rows = Float[np.ndarray, "count channels"]


@dataclass(frozen=True)
class Centroid:
    """The mean activation, over positions, of the reference images of one class."""

    attribute: str = "texture"  # shape, texture or hue (generated images), class (a folder)
    index: int = 0

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the centroid with its length."""
        reference = setup.require_reference("direction=centroid")
        attributes = reference.images.attributes
        if not attributes:
            raise ValueError(
                f"direction=centroid needs labels, and {reference.images.source} has none: "
                "a folder needs a folder in it for each class"
            )
        checks.choice("direction.attribute", self.attribute, attributes)
        checks.index("direction.index", self.index, len(attributes[self.attribute]))
        statistics = reference.statistics(setup.layer)
        has_label = statistics.labels[:, list(attributes).index(self.attribute)] == self.index
        name = f"{self.attribute}={attributes[self.attribute][self.index]}"
        if not has_label.any():
            raise ValueError(f"no reference image has {name}: raise reference_count")
        vector = statistics.means[has_label].mean(0)
        return replace(
            _direction_info(vector, setup.layer, f"{setup.layer}:{name} centroid", "point"),
            concept=name,
        )


@dataclass(frozen=True)
class NearestMean:
    """The mean of the reference vectors that are most similar, by cosine, to another direction."""

    to: DirectionSource
    count: int = 16

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the mean with its length."""
        reference, first = (
            setup.require_reference("direction=nearest_mean"),
            self.to.resolve(setup),
        )
        vector = one_vector(first)
        rows = reference.vectors(setup.layer)
        checks.count("direction.count", self.count, most=len(rows))
        lengths = np.linalg.norm(rows, axis=-1)
        cosines = rows @ vector / np.where(lengths > 0, lengths, 1)
        nearest = np.argsort(-cosines, kind="stable")[: self.count]
        name = f"{first.label}, mean of {self.count} similar"
        return _direction_info(rows[nearest].mean(0), setup.layer, name, "point")


@dataclass(frozen=True)
class Factor:
    """A factor of the reference vectors at random positions, fitted once by scikit-learn.

    Args:
        method: nmf, pca, ica (FastICA), kmeans (a centroid) or dictionary (sparse, and overcomplete
            if `count` exceeds the channels).
        count: number of factors.
        index: number of the factor, from 0, in the order of decreasing variance.
        seed: seed of the fit.
    """

    method: str = "nmf"
    count: int = 16
    index: int = 0
    seed: int = 0

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the factor; its label gives the share of variance (kmeans: of vectors)."""
        reference, layer = setup.require_reference("direction=factor"), setup.layer
        checks.choice("direction.method", self.method, METHODS)
        rows = reference.vectors(layer)
        most = min(rows.shape) if self.method == "pca" else len(rows)
        checks.count("direction.count", self.count, most=most)
        checks.index("direction.index", self.index, self.count)
        checks.count("direction.seed", self.seed, least=0, most=checks.MOST_SEED)
        if self.method == "nmf" and rows.min() < 0:
            raise ValueError(
                f"nmf needs activations that are never negative, layer {layer!r} has "
                f"{rows.min():.3g}: choose a layer after a ReLU, or another direction.method"
            )

        def fit() -> dict[str, np.ndarray]:
            factors, shares = METHODS[self.method](rows.astype(np.float64), self.count, self.seed)
            order = np.argsort(-shares, kind="stable")
            return {"factors": factors[order].astype(np.float32), "shares": shares[order]}

        shapes = {"factors": (self.count, rows.shape[1]), "shares": (self.count,)}
        fitted = reference.stored.get_or_compute(
            f"{self.method} {self.count} seed {self.seed} of {layer}", fit, shapes
        )
        share = 100 * fitted["shares"][self.index]
        name = f"{layer}:{self.method} {self.index}/{self.count} ({share:.1f} %)"
        kind: Kind = "point" if self.method == "kmeans" else "vector"
        return _direction_info(fitted["factors"][self.index], layer, name, kind)


def one_vector(info: DirectionInfo) -> Float[np.ndarray, "channels"]:
    """Return the vector (channels,) of a direction; refuse directions of full shape."""
    if not isinstance(info.direction, Direction) or info.direction.vector.ndim != 1:
        raise ValueError(f"{info.label} is not one vector (channels,)")
    return np.asarray(info.direction.vector, np.float64)


def _direction_info(vector: np.ndarray, layer: str, label: str, kind: Kind) -> DirectionInfo:
    direction = Direction(vector=jnp.asarray(vector, jnp.float32), layer=layer)
    return DirectionInfo(direction, label, kind)


def _variance_shares(rows: Vectors, factors: Rows) -> Float[np.ndarray, "count"]:
    """Return the share of the rows' variance along each factor."""
    units = factors / np.maximum(np.linalg.norm(factors, axis=-1, keepdims=True), 1e-30)
    shares: np.ndarray = (rows @ units.T).var(0) / rows.var(0).sum()
    return shares


def _positively_skewed(rows: Vectors, factors: Rows) -> Rows:
    """Return factors with the sign of positive skewness of the activations along them."""
    scores = (rows - rows.mean(0)) @ factors.T
    return factors * np.where((scores**3).mean(0) < 0, -1, 1)[:, None]


def _nmf(rows: Vectors, count: int, seed: int) -> tuple[Rows, np.ndarray]:
    from sklearn.decomposition import NMF

    factors = NMF(count, init="nndsvda", max_iter=400, random_state=seed).fit(rows).components_
    return factors, _variance_shares(rows, factors)


def _pca(rows: Vectors, count: int, seed: int) -> tuple[Rows, np.ndarray]:
    from sklearn.decomposition import PCA

    fit = PCA(count, random_state=seed).fit(rows)
    return _positively_skewed(rows, fit.components_), fit.explained_variance_ratio_


def _ica(rows: Vectors, count: int, seed: int) -> tuple[Rows, np.ndarray]:
    from sklearn.decomposition import FastICA

    fit = FastICA(count, whiten="unit-variance", max_iter=1000, random_state=seed).fit(rows)
    factors = _positively_skewed(rows, fit.mixing_.T)  # a source's vector in the activations
    return factors, _variance_shares(rows, factors)


def _kmeans(rows: Vectors, count: int, seed: int) -> tuple[Rows, np.ndarray]:
    from sklearn.cluster import KMeans

    fit = KMeans(count, n_init=4, random_state=seed).fit(rows)
    return fit.cluster_centers_, np.bincount(fit.labels_, minlength=count) / len(rows)


def _dictionary(rows: Vectors, count: int, seed: int) -> tuple[Rows, np.ndarray]:
    from sklearn.decomposition import MiniBatchDictionaryLearning

    scale = rows.std()
    fit = MiniBatchDictionaryLearning(
        count, alpha=1.0, fit_algorithm="cd", max_iter=20, batch_size=256, random_state=seed
    ).fit(rows / scale)
    factors = _positively_skewed(rows, fit.components_)
    return factors, _variance_shares(rows, factors)


METHODS: Mapping[str, Callable[[Any, int, int], tuple[Any, np.ndarray]]] = {
    "nmf": _nmf,
    "pca": _pca,
    "ica": _ica,
    "kmeans": _kmeans,
    "dictionary": _dictionary,
}
