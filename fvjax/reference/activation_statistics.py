"""What a network does on reference images, found when first asked for and kept."""

import hashlib
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from fvjax import checks
from fvjax.affine_map import AffineMap
from fvjax.data.image_sets import ImageSet
from fvjax.direction import Position
from fvjax.models.model import Model
from fvjax.objectives.similarity import dots
from fvjax.reference.covariance import Shrinkage, cross_validated, ledoit_wolf, whitening
from fvjax.reference.distances import ReferenceDistribution, fit_distribution
from fvjax.reference.moments import Statistics, collect, forward

VECTORS = 2**14  # positions sampled from all images together, at most
_VERSION = 1  # of what is kept
_METRIC_SHRINKAGE: Shrinkage = (
    "cross_validated"  # a yardstick is the same whatever a space's shrinkage
)
_WAYS = ("cross_validated", "ledoit_wolf")

Arrays = dict[str, np.ndarray]
Vector = Float[np.ndarray, "channels"] | Float[np.ndarray, "height width channels"]
Found = TypeVar("Found")


@dataclass(frozen=True)
class ImageSetDescription:
    """What statistics say of their images where the images themselves are absent."""

    source: str
    image_size: tuple[int, int]
    count: int
    identity: str
    attributes: Mapping[str, tuple[str, ...]]


@dataclass(eq=False)
class ReferenceStatistics:
    """Reference images through a model: `statistics(layer)`, `vectors(layer)`, and fits to them.

    Args:
        model: the plain network.
        images: the reference images, or the description of absent images.
        store: where arrays are kept by key; a dictionary, or one that writes files. A key names the
            weights, the network, the images, their size and what was computed.
        announce: told what is computed, before it is.
    """

    model: Model
    images: ImageSet | ImageSetDescription
    store: MutableMapping[str, Arrays] = field(default_factory=dict)
    announce: Callable[[str], None] = lambda what: None
    _found: dict[Any, Any] = field(default_factory=dict, init=False)

    def statistics(self, layer: str) -> Statistics:
        """Moments and images' activations at a layer; the same object each time."""
        checks.choice("layer", layer, self.model.layers)

        def compute() -> Arrays:
            images = self.require_images(f"layer {layer}")
            return collect(self.model, images, [layer])[layer].arrays()

        return self._memoize(
            ("statistics", layer),
            lambda: Statistics(**self.get_or_compute(f"statistics of {layer}", compute)),
        )

    def collect(self, layers: Sequence[str]) -> None:
        """Statistics of several layers in one pass over the images, for those not yet there."""
        missing = [
            layer for layer in layers if self._key(f"statistics of {layer}") not in self.store
        ]
        if not missing:
            return
        images = self.require_images(f"layer {', '.join(missing)}")
        self.announce(f"statistics of {', '.join(missing)}")
        for layer, found in collect(self.model, images, missing).items():
            self.store_layer(layer, found.arrays())

    def store_layer(self, layer: str, arrays: Arrays) -> None:
        """Put the statistics of a layer into the store."""
        self.store[self._key(f"statistics of {layer}")] = arrays

    def vectors(self, layer: str) -> Float[np.ndarray, "vectors channels"]:
        """Activations at random positions, equally many of each image, `VECTORS` at most in all."""
        checks.choice("layer", layer, self.model.layers)

        def compute() -> Arrays:
            images = self.require_images(f"a sample of vectors of {layer}")
            each = max(1, VECTORS // len(images))
            return {"vectors": _sampled(self.model, images, layer, each)}

        name = f"vectors of {layer}"
        return self._memoize(name, lambda: self.get_or_compute(name, compute)["vectors"])

    def shrinkage(self, layer: str, how: Shrinkage) -> float:
        """A number as it is; or by name: cross_validated over images, or ledoit_wolf."""
        if not isinstance(how, str):
            checks.not_negative("shrinkage", how)
            return float(how)
        checks.choice("shrinkage", how, _WAYS)
        if how == "ledoit_wolf":
            return self._memoize((how, layer), lambda: ledoit_wolf(self.vectors(layer)))
        return self._memoize((how, layer), lambda: cross_validated(self.statistics(layer)))

    def whitening(self, layer: str, how: Shrinkage) -> AffineMap:
        """The affine_map in which the layer is white; the same object each time."""
        amount = self.shrinkage(layer, how)
        find = partial(whitening, self.statistics(layer), amount, layer)
        return self._memoize(("whitening", layer, amount), find)

    def distribution(self, layer: str, position: Position = "all") -> ReferenceDistribution:
        """Return what metrics compare a layer with; the same object each time.

        Means and standard deviations are those of the position, or over all positions where the
        position's own are not stored.
        """
        affine_map = self.whitening(layer, _METRIC_SHRINKAGE)
        shrinkage = self.shrinkage(layer, _METRIC_SHRINKAGE)
        rows = self.rows(layer, position)
        means = self.statistics(layer).means if rows is None else rows
        find = partial(fit_distribution, self.statistics(layer), affine_map, shrinkage, means)
        return self._memoize(("distribution", layer, str(position)), find)

    def rows(self, layer: str, position: Position) -> Float[np.ndarray, "images channels"] | None:
        """Return each image's activation at a position, or averaged over all positions.

        None for a single position other than the centre, which is not stored.
        """
        statistics = self.statistics(layer)
        if position == "all":
            return statistics.means
        center = [side // 2 for side in self.model.shapes(self.images.image_size)[layer][:-1]]
        stored = position == "center" or list(position) == center
        return statistics.centers if stored else None

    def projections(
        self, layer: str, vector: Vector, position: Position = "all"
    ) -> Float[np.ndarray, "images"] | None:
        """Return every reference image's `dot` with a direction at a position.

        A direction with a vector for each position costs a pass over the images, cached by its
        hash. None where the position is not stored.
        """
        vector = np.asarray(vector, np.float64)
        if vector.ndim > 1 and position == "all":
            name = hashlib.sha256(vector.astype(np.float32).tobytes()).hexdigest()[:12]
            images = self.require_images(f"a direction with a vector for each position of {layer}")
            compute = partial(_placed, self.model, images, layer, vector)
            return self.get_or_compute(f"dot products with {name} at {layer}", compute)["dots"]
        if vector.ndim > 1:
            center = [side // 2 for side in vector.shape[:-1]]
            vector = vector[tuple(center if position == "center" else position)]
        rows = self.rows(layer, position)
        return None if rows is None else rows @ (vector / np.linalg.norm(vector))

    def label_mask(self, concept: str | None) -> np.ndarray | None:
        """Which images have a label such as "texture=stripes"; None where none can."""
        attribute, _, name = (concept or "").partition("=")
        attributes = self.images.attributes
        if name not in attributes.get(attribute, ()):
            return None
        images = self.require_images(f"the label {concept}")
        labels = images.labels[:, list(attributes).index(attribute)]
        wanted: np.ndarray = labels == attributes[attribute].index(name)
        return wanted

    def require_images(self, user: str) -> ImageSet:
        """Return the reference images.

        Args:
            user: noun phrase that names what needs the images, for the error message.

        Raises:
            ValueError: the images are absent; a file of statistics stands for them.
        """
        if isinstance(self.images, ImageSetDescription):
            raise ValueError(
                f"{user} needs the reference images, and {self.images.source} holds statistics "
                "without images: give reference_images=FOLDER"
            )
        return self.images

    def get_or_compute(self, what: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays from the store, or computed and put there."""
        key = self._key(what)
        with suppress(KeyError):
            return self.store[key]
        self.announce(what)
        self.store[key] = found = compute()
        return found

    def _key(self, what: str) -> str:
        parts = (_VERSION, self.fingerprint, self.images.identity, what)
        digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:20]
        return f"{re.sub('[^a-z0-9]+', '_', what.lower())}-{digest}"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the network and its weights."""
        return fingerprint(self.model)

    def _memoize(self, key: Any, find: Callable[[], Found]) -> Found:
        if key not in self._found:
            self._found[key] = find()
        found: Found = self._found[key]
        return found


def require_reference(what: str, reference: ReferenceStatistics | None) -> ReferenceStatistics:
    """What is known of reference images; refused where there are none."""
    if reference is None:
        raise ValueError(
            f"{what} needs reference images: give reference_images=generated or "
            "reference_images=FOLDER"
        )
    return reference


def fingerprint(model: Model) -> str:
    """A hash of a network, its weights and its precision."""
    function = re.sub(r" at 0x[0-9a-f]+", "", repr(model.network))
    digest = hashlib.sha256(f"{function} {model.precision}".encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.weights):
        array = np.asarray(leaf.astype(jnp.float32))
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _placed(model: Model, reference: ImageSet, layer: str, vector: Vector) -> Arrays:
    """Each image's mean over positions of a·v/|v|, with a v for each."""
    found, wanted = np.empty(len(reference)), jnp.asarray(vector, jnp.float32)[None]
    for batch in reference:
        activations = forward(model, jnp.asarray(batch.images), (layer,))[layer]
        found[batch.numbers] = dots(activations, wanted).mean((1, 2))
    return {"dots": found}


def _sampled(model: Model, reference: ImageSet, layer: str, each: int) -> np.ndarray:
    rows = []
    for batch in reference:
        activations = forward(model, jnp.asarray(batch.images), (layer,))[layer]
        flat = np.asarray(activations).reshape(len(batch.numbers), -1, activations.shape[-1])
        for number, one in zip(batch.numbers, flat, strict=True):
            draws = np.random.default_rng(number)  # whatever the batches
            rows.append(one[draws.permutation(len(one))[:each]])
    return np.concatenate(rows)
