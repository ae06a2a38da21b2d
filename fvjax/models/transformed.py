"""A model with one more layer: an affine map of another layer's activations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.models.model import Model, Network, Record
from fvjax.types import Image


@dataclass(frozen=True)
class WithAffineLayer:
    """A network that also records `"<layer>@<name>"`: (activations - mean) @ matrix."""

    network: Network
    layer: str
    name: str

    def __call__(self, weights: Mapping[str, Any], image: Image, record: Record) -> Any:
        """Run the network, then the transform; the transform is always in float32."""
        out = self.network(weights["network"], image, record)
        mapped = self.apply(weights, record.activations[self.layer])
        record.add_space(self.layer, self.name, mapped)
        return out

    def apply(
        self, weights: Mapping[str, Any], x: Float[Array, "*space channels"]
    ) -> Float[Array, "*space features"]:
        """Apply the transform to the layer's activations."""
        mean = weights["mean"].reshape(*(1,) * (x.ndim - 1), -1)
        mapped: Array = (x.astype(jnp.float32) - mean) @ weights["matrix"]
        return mapped


def with_affine_layer(
    model: Model,
    *,
    layer: str,
    matrix: Float[Array | np.ndarray, "channels features"],
    mean: Float[Array | np.ndarray, "channels"],
    name: str,
) -> Model:
    """Return the model with the layer `"<layer>@<name>"`: (a - mean) @ matrix at every position.

    Mean and matrix are leaves beside the weights: spaces that differ in them share a program.

    Raises:
        ValueError: an unknown layer; a matrix or mean of the wrong shape.
    """
    checks.choice("layer", layer, model.layers)
    channels = model.layers[layer][-1]
    matrix, mean = jnp.asarray(matrix, jnp.float32), jnp.asarray(mean, jnp.float32)
    if matrix.ndim != 2 or matrix.shape[0] != channels or mean.shape != (channels,):
        raise ValueError(
            f"layer {layer!r} has {channels} channels: a matrix of shape {matrix.shape} and a mean "
            f"of shape {mean.shape} do not fit; wanted ({channels}, features) and ({channels},)"
        )
    weights = {"network": model.weights, "mean": mean, "matrix": matrix}
    network = WithAffineLayer(model.network, layer, name)
    return model.replace(weights=weights, network=network)  # type: ignore[attr-defined, no-any-return]
