"""Statistics of a network on reference images, computed on first use and stored."""

import hashlib
import math
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from fvjax import checks
from fvjax.affine_map import AffineMap
from fvjax.data.image_sets import ImageSet, ReferenceImages
from fvjax.models.model import Model
from fvjax.positions import Position, center_index, index_of, patch_grid
from fvjax.reference.covariance import Shrinkage, cross_validated, ledoit_wolf, whitening
from fvjax.reference.distances import ReferenceDistribution, fit_distribution
from fvjax.reference.moments import Statistics, collect, statistics_shapes
from fvjax.reference.samples import position_projections, rows_at, sample_vectors
from fvjax.reference.stored_arrays import Arrays, StoredArrays

VECTORS = 2**14  # positions sampled from all images together, at most
_VERSION = 1  # of the stored arrays
# Metrics use one shrinkage, whatever the space's shrinkage is.
_METRIC_SHRINKAGE: Shrinkage = "cross_validated"
_METHODS = ("cross_validated", "ledoit_wolf")

Vector = Float[np.ndarray, "channels"] | Float[np.ndarray, "height width channels"]
Value = TypeVar("Value")


@dataclass(frozen=True)
class ImageSetDescription:
    """A description of reference images that are absent, as stored with their statistics."""

    source: str
    image_size: tuple[int, int]
    count: int
    identity: str
    attributes: Mapping[str, tuple[str, ...]]


@dataclass(eq=False)
class ReferenceStatistics:
    """Statistics, sampled vectors and fitted distributions of a model on reference images.

    Args:
        model: the network, without added layers.
        images: the reference images, or the description of absent images.
        store: mapping from keys to arrays, in memory or in files. A key names the weights, the
            network, the images, the image size and the computed quantity.
        announce: called with the name of a quantity before the quantity is computed.
    """

    model: Model
    images: ImageSet | ImageSetDescription
    store: MutableMapping[str, Arrays] = field(default_factory=dict)
    announce: Callable[[str], None] = lambda name: None
    _memo: dict[Any, Any] = field(default_factory=dict, init=False)

    def statistics(self, layer: str) -> Statistics:
        """Return moments and images' activations at a layer; the same object each time."""
        checks.choice("layer", layer, self.model.layers)

        def compute() -> Arrays:
            images = self.require_images(f"layer {layer}")
            return collect(self.model, images, [layer])[layer].arrays()

        def load() -> Statistics:
            name, shapes = self._name(layer), self.shapes(layer)
            with suppress(KeyError, ValueError):  # absent, or no statistics of this layer
                return Statistics.from_arrays(name, self.stored[name], shapes)
            return Statistics(**self.stored.compute(name, compute))

        return self._memoize(("statistics", layer), load)

    @property
    def image_count(self) -> int:
        """The number of reference images."""
        images = self.images
        return images.count if isinstance(images, ImageSetDescription) else len(images)

    def shapes(self, layer: str) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays that hold the statistics of a layer."""
        channels = self._layers()[layer][-1]
        return statistics_shapes(channels, self.image_count, len(self.images.attributes))

    def collect(self, layers: Sequence[str]) -> None:
        """Store the statistics of the layers that are missing, in one pass over the images."""
        missing = [layer for layer in layers if self._name(layer) not in self.stored]
        if not missing:
            return
        images = self.require_images(f"layer {', '.join(missing)}")
        self.announce(f"statistics of {', '.join(missing)}")
        for layer, statistics in collect(self.model, images, missing).items():
            self.store_layer(layer, statistics.arrays())

    def store_layer(self, layer: str, arrays: Arrays) -> None:
        """Put the statistics of a layer into the store."""
        self.stored[self._name(layer)] = arrays

    def vectors(self, layer: str) -> Float[np.ndarray, "vectors channels"]:
        """Return activations at random positions: at most `VECTORS`, equally many per image."""
        checks.choice("layer", layer, self.model.layers)
        *space, channels = self._layers()[layer]
        per_image = min(max(1, VECTORS // self.image_count), math.prod(space))

        def compute() -> Arrays:
            images = self.require_images(f"a sample of vectors of {layer}")
            return {"vectors": sample_vectors(self.model, images, layer, per_image)}

        name, shapes = f"vectors of {layer}", {"vectors": (per_image * self.image_count, channels)}
        return self._memoize(
            name, lambda: self.stored.get_or_compute(name, compute, shapes)["vectors"]
        )

    def shrinkage(self, layer: str, how: Shrinkage) -> float:
        """Return the shrinkage, in [0, 1], of a number or of a method's name.

        The methods are `cross_validated` over images, and `ledoit_wolf`.
        """
        if not isinstance(how, str):
            checks.not_negative("shrinkage", how)
            return float(how)
        checks.choice("shrinkage", how, _METHODS)
        if how == "ledoit_wolf":
            return self._memoize((how, layer), lambda: ledoit_wolf(self.vectors(layer)))
        return self._memoize((how, layer), lambda: cross_validated(self.statistics(layer)))

    def whitening(self, layer: str, how: Shrinkage) -> AffineMap:
        """Return the affine map that whitens the layer; the same object each time."""
        amount = self.shrinkage(layer, how)
        compute = partial(whitening, self.statistics(layer), amount, layer)
        return self._memoize(("whitening", layer, amount), compute)

    def distribution(self, layer: str, position: Position = "all") -> ReferenceDistribution:
        """Return the distribution behind a layer's reference metrics; the same object each time.

        Means and standard deviations belong to the position. If the position is not stored, they
        are over all positions.
        """
        affine_map = self.whitening(layer, _METRIC_SHRINKAGE)
        shrinkage = self.shrinkage(layer, _METRIC_SHRINKAGE)
        rows = self.rows(layer, position)
        means = self.statistics(layer).means if rows is None else rows
        compute = partial(fit_distribution, self.statistics(layer), affine_map, shrinkage, means)
        return self._memoize(("distribution", layer, str(position)), compute)

    def rows(self, layer: str, position: Position) -> Float[np.ndarray, "images channels"] | None:
        """Return each image's activation at a position, or averaged over all positions.

        The result is None if the position is not stored: the centre is, and the class token costs
        a pass over the images.
        """
        statistics, shapes = self.statistics(layer), self._layers()
        index = index_of(position, shapes[layer], layer, patch_grid(shapes, layer))
        if index is None:
            return statistics.means
        if index == center_index(shapes, layer):
            return statistics.centers
        if position != "class" or isinstance(self.images, ImageSetDescription):
            return None
        name, images = f"class tokens of {layer}", self.images

        def compute() -> Arrays:
            return {"rows": rows_at(self.model, images, layer, index)}

        shape = {"rows": (len(images), shapes[layer][-1])}
        return self.stored.get_or_compute(name, compute, shape)["rows"]

    def projections(
        self, layer: str, vector: Vector, position: Position = "all"
    ) -> Float[np.ndarray, "images"] | None:
        """Return every reference image's `dot` with a direction at a position.

        A direction with a vector for each position costs a pass over the images, cached by its
        hash. The result is None if the position is not stored.
        """
        vector = np.asarray(vector, np.float64)
        if vector.ndim > 1 and position == "all":
            name = hashlib.sha256(vector.astype(np.float32).tobytes()).hexdigest()[:12]
            images = self.require_images(f"a direction with a vector for each position of {layer}")

            def compute() -> Arrays:
                return {"dots": position_projections(self.model, images, layer, vector)}

            name = f"dot products with {name} at {layer}"
            shapes = {"dots": (len(images),)}
            return self.stored.get_or_compute(name, compute, shapes)["dots"]
        if vector.ndim > 1:
            index = index_of(position, vector.shape, layer, patch_grid(self._layers(), layer))
            vector = vector if index is None else vector[index]
        rows = self.rows(layer, position)
        return None if rows is None else rows @ (vector / np.linalg.norm(vector))

    def label_mask(self, concept: str | None) -> np.ndarray | None:
        """Return which images have a label such as "texture=stripes"; None if it is unknown."""
        attribute, _, name = (concept or "").partition("=")
        attributes = self.images.attributes
        if name not in attributes.get(attribute, ()):
            return None
        images = self.require_images(f"the label {concept}")
        mask: np.ndarray = images.labels(attribute) == attributes[attribute].index(name)
        return mask

    def at_size(self, image_size: tuple[int, int]) -> "ReferenceStatistics":
        """Return the statistics of the same images at another size; the same object each time.

        Raises:
            ValueError: the images cannot be read again, as for a file of statistics.
        """
        if image_size == self.images.image_size:
            return self
        images = self.require_images(f"image_size={image_size}")
        if not isinstance(images, ReferenceImages):
            raise ValueError(f"{images.source} cannot be read at image_size={image_size}")
        other = ReferenceStatistics(
            self.model, replace(images, image_size=image_size), self.store, self.announce
        )
        return self._memoize(("size", image_size), lambda: other)

    def require_images(self, user: str) -> ImageSet:
        """Return the reference images.

        Args:
            user: name of the quantity that needs the images, for the error message.

        Raises:
            ValueError: only a file of statistics is available.
        """
        if isinstance(self.images, ImageSetDescription):
            raise ValueError(
                f"{user} needs the reference images, and {self.images.source} holds statistics "
                "without images: give reference_images=FOLDER"
            )
        return self.images

    def _layers(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every layer at the size of the reference images."""
        return self.model.shapes(self.images.image_size)

    def _name(self, layer: str) -> str:
        """Return the name under which the statistics of a layer are stored."""
        patches = patch_grid(self._layers(), layer) is not None  # the centre is another position
        return f"statistics of {layer}{' with patches' if patches else ''}"

    @cached_property
    def stored(self) -> StoredArrays:
        """The arrays computed so far, under the hashes of the network and of the images."""
        parts = (_VERSION, self.fingerprint, self.images.identity)
        return StoredArrays(self.store, parts, self.announce)

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash of the network and its weights."""
        return fingerprint(self.model)

    def _memoize(self, key: Any, compute: Callable[[], Value]) -> Value:
        if key not in self._memo:
            self._memo[key] = compute()
        value: Value = self._memo[key]
        return value


def require_reference(user: str, reference: ReferenceStatistics | None) -> ReferenceStatistics:
    """Return the reference statistics.

    Raises:
        ValueError: there are none; `user` names the option that needs them.
    """
    if reference is None:
        raise ValueError(
            f"{user} needs reference images: give reference_images=generated or "
            "reference_images=FOLDER"
        )
    return reference


def fingerprint(model: Model) -> str:
    """Return a hash of a network, its weights and its precision."""
    function = re.sub(r" at 0x[0-9a-f]+", "", repr(model.network))
    digest = hashlib.sha256(f"{function} {model.precision}".encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.weights):
        array = np.asarray(leaf.astype(jnp.float32))
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
