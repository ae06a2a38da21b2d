"""Directions from an image's activations: a photograph's, or a generated image's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax import checks
from fvjax.data.photos import read_photo
from fvjax.data.textures import ATTRIBUTES, SIZE, sample
from fvjax.direction import Direction, FromImage
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources.direction_info import DirectionInfo
from fvjax.types import Image

# Of a layer: its centre, its mean, all positions (a caricature), [row, column], or counted by rows.
At = Literal["center", "mean", "all"] | int | Sequence[int]


@dataclass(frozen=True)
class Photo:
    """A photograph's activation: at one position of the layer, their mean, or all of them."""

    path: str
    at: At
    image_size: int | None = None  # pixels at which the photograph is read; the job's if None

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The activation vector, its length kept; silence at that place is refused."""
        side = size if self.image_size is None else self.image_size
        checks.count("direction.image_size", side)
        if self.at == "all" and side != size:
            raise ValueError(
                f"direction.at=all matches the picture position by position: direction.image_size={side} "
                f"must be its size, {size}"
            )
        image = jnp.asarray(read_photo(self.path, side))
        return point(model, layer, image, self.at, Path(self.path).stem)


@dataclass(frozen=True)
class Generated:
    """The activation of an image that `fvjax.data.textures` draws from a seed."""

    seed: int
    at: At

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The activation vector, its length kept; the label names the image's content."""
        checks.count("direction.seed", self.seed, least=0, most=checks.MOST_SEED)
        drawn = _draw(jax.random.key(self.seed))
        name = " ".join(
            names[int(getattr(drawn, attribute))] for attribute, names in ATTRIBUTES.items()
        )
        shape = (size, size, 3)
        image = drawn.image if size == SIZE else jax.image.resize(drawn.image, shape, "linear")
        return point(model, layer, image, self.at, name)


def point(model: Model, layer: str, image: Image, at: At, name: str) -> DirectionInfo:
    """An image's activation vector at a place of a layer; `name` says which image it is."""
    checks.choice("layer", layer, model.layers)
    if at == "all":  # the target is read anew under each step's transform
        return DirectionInfo(FromImage(image=image, layer=layer), f"{layer}:{name} all", "point")
    spot, vector = _vector(_forward(model, layer, image), layer, at)
    if not bool(jnp.any(vector != 0)):
        raise ValueError(f"{name} does not excite layer {layer!r} at {spot}: all zero")
    label = f"{layer}:{name} {spot}".strip()
    return DirectionInfo(Direction(vector=vector, layer=layer), label, "point")


def _vector(activations: Array, layer: str, at: At) -> tuple[str, Array]:
    """Where it is, for people, and the activation there; a layer without positions has one."""
    if activations.ndim == 1:
        return "", activations
    height, width, _ = activations.shape
    if at == "mean":
        return "mean", jnp.mean(activations, (0, 1))
    if at == "center":
        return "center", activations[height // 2, width // 2]
    if isinstance(at, int) and not isinstance(at, bool):
        checks.index(f"direction.at in layer {layer!r}", at, height * width)
        at = divmod(at, width)
    if isinstance(at, str) or not isinstance(at, Sequence) or len(at) != 2:
        raise ValueError(
            "direction.at must be center, mean, all, [row, column] or a position counted row by "
            f"row, got {at!r}"
        )
    checks.index(f"direction.at row in layer {layer!r}", at[0], height)
    checks.index(f"direction.at column in layer {layer!r}", at[1], width)
    return f"{at[0]},{at[1]}", activations[at[0], at[1]]


def _layer(model: Model, layer: str, image: Image) -> Array:
    return model(image)[layer]


_forward = jax.jit(_layer, static_argnums=1)
_draw = jax.jit(sample)
