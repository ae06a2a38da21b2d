"""Directions from an image's activations: a photograph's, or a generated image's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from fvjax import checks
from fvjax.data.photos import read_photo
from fvjax.data.textures import ATTRIBUTES, SIZE, sample
from fvjax.direction import Direction, FromImage
from fvjax.image_size import ImageSize, height_width
from fvjax.models.model import Model
from fvjax.positions import index_of, patch_grid
from fvjax.sources.direction_info import DirectionInfo
from fvjax.sources.setup import Setup
from fvjax.types import Image

# The centre, the mean, all positions (a caricature), the class token, [row, column], or a number
# counted by rows.
At = Literal["center", "mean", "all", "class"] | int | Sequence[int]


@dataclass(frozen=True)
class Photo:
    """A photograph's activation: at one position of the layer, their mean, or all positions."""

    path: str
    at: At = "center"
    image_size: ImageSize | None = None  # pixels at which the photograph is read; the job's if None

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the activation vector with its length; an activation of zero is refused."""
        size = setup.image_size
        if self.image_size is not None:
            size = height_width(self.image_size, "direction.image_size")
        if self.at == "all" and size != setup.image_size:
            raise ValueError(
                "direction.at=all matches the picture position by position: direction.image_size "
                f"must be the picture's size, {setup.image_size}, got {size}"
            )
        image = jnp.asarray(read_photo(self.path, size))
        return point(setup, image, self.at, Path(self.path).stem)


@dataclass(frozen=True)
class Generated:
    """The activation of an image that `fvjax.data.textures` draws from a seed."""

    seed: int = 0
    at: At = "center"

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the activation vector with its length; the label names the image's content."""
        checks.count("direction.seed", self.seed, least=0, most=checks.MOST_SEED)
        drawn = _draw(jax.random.key(self.seed))
        name = " ".join(
            names[int(getattr(drawn, attribute))] for attribute, names in ATTRIBUTES.items()
        )
        image = drawn.image
        if setup.image_size != (SIZE, SIZE):
            image = jax.image.resize(image, (*setup.image_size, 3), "linear")
        return point(setup, image, self.at, name)


def point(setup: Setup, image: Image, at: At, name: str) -> DirectionInfo:
    """Return an image's activation at a place of the setup's layer; `name` names the image."""
    layer, model = setup.layer, setup.model
    checks.choice("layer", layer, model.layers)
    if at == "all":  # the activations follow each step's transform
        return DirectionInfo(FromImage(image=image, layer=layer), f"{layer}:{name} all", "point")
    shapes = model.shapes((image.shape[0], image.shape[1]))
    place, vector = _vector(_forward(model, layer, image), shapes, layer, at)
    if not bool(jnp.any(vector != 0)):
        raise ValueError(f"{name} does not excite layer {layer!r} at {place}: all zero")
    label = f"{layer}:{name} {place}".strip()
    return DirectionInfo(Direction(vector=vector, layer=layer), label, "point")


def _vector(
    activations: Array, shapes: Mapping[str, tuple[int, ...]], layer: str, at: At
) -> tuple[str, Array]:
    """Return the position as text, and the activation at the position."""
    *space, channels = activations.shape
    if not space:
        return "", activations
    if at == "mean":
        return "mean", jnp.mean(activations.reshape(-1, channels), 0)
    if isinstance(at, int) and not isinstance(at, bool):
        checks.index(f"direction.at in layer {layer!r}", at, math.prod(space))
        at = [int(i) for i in np.unravel_index(at, space)]
    grid = patch_grid(shapes, layer)
    axes = (len(space), 2) if grid is not None else (len(space),)
    is_index = isinstance(at, Sequence) and not isinstance(at, str) and len(at) in axes
    if at not in ("center", "class") and not is_index:
        raise ValueError(
            "direction.at must be center, mean, all, class, [row, column] or a position counted "
            f"row by row, got {at!r}"
        )
    index = index_of(at, shapes[layer], layer, grid, "direction.at")
    return at if isinstance(at, str) else ",".join(map(str, np.array(at))), activations[index]


def _layer(model: Model, layer: str, image: Image) -> Array:
    return model(image)[layer]


_forward = jax.jit(_layer, static_argnums=1)
_draw = jax.jit(sample)
