"""Directions from a photograph: its activation vector at one position, or their mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax import checks
from fvjax.data.photos import read_photo
from fvjax.direction import Direction
from fvjax.models.model import Model
from fvjax.sources.sourced import Sourced


@dataclass(frozen=True)
class Photo:
    """The activation of a photograph: at the centre, at (row, column) of the layer, or their mean."""

    path: str
    at: Literal["center", "mean"] | Sequence[int]

    def __call__(self, model: Model, layer: str, size: int) -> Sourced:
        """The activation vector, its length kept; a photo that leaves the layer silent is refused."""
        activations = _activations(model, layer, str(self.path), size)
        spot, vector = self._vector(layer, activations)
        if not bool(jnp.any(vector != 0)):
            raise ValueError(f"{self.path} does not excite layer {layer!r} at {spot}: all zero")
        label = f"{layer}:{Path(self.path).stem} {spot}"
        return Sourced(Direction(vector=vector, layer=layer), label, "point")

    def _vector(self, layer: str, activations: Array) -> tuple[str, Array]:
        if activations.ndim == 1:
            return "", activations
        height, width, _ = activations.shape
        if self.at == "mean":
            return "mean", jnp.mean(activations, (0, 1))
        if self.at == "center":
            return "center", activations[height // 2, width // 2]
        if isinstance(self.at, str) or len(self.at) != 2:
            raise ValueError(f"direction.at must be center, mean or [row, column], got {self.at!r}")
        checks.index(f"direction.at row in layer {layer!r}", self.at[0], height)
        checks.index(f"direction.at column in layer {layer!r}", self.at[1], width)
        return f"{self.at[0]},{self.at[1]}", activations[self.at[0], self.at[1]]


def _activations(model: Model, layer: str, path: str, size: int) -> Array:
    checks.choice("layer", layer, model.layers)
    return _forward(model, layer, jnp.asarray(read_photo(path, size)))


def _layer(model: Model, layer: str, image: Array) -> Array:
    return model(image)[layer]


_forward = jax.jit(_layer, static_argnums=1)
