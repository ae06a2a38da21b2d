"""A model with one more layer: a map of another layer's activations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.models.model import Model, Network, Record
from fvjax.types import Image

EPSILON = 1e-6  # added to the variance, as timm's ViT does


@dataclass(frozen=True)
class WithAffineLayer:
    """A network that also records `"<layer>@<name>"`: (activations - mean) @ matrix."""

    network: Network
    layer: str
    name: str

    def __call__(self, weights: Mapping[str, Any], image: Image, record: Record) -> Any:
        """Run the network, then the transform; the transform is always in float32."""
        return _run(self, weights, image, record)

    def original(self, weights: Mapping[str, Any]) -> Any:
        """Return the weights of the network itself."""
        return weights["network"]

    def apply(
        self, weights: Mapping[str, Any], x: Float[Array, "*space channels"]
    ) -> Float[Array, "*space features"]:
        """Apply the transform to the layer's activations."""
        mean = weights["mean"].reshape(*(1,) * (x.ndim - 1), -1)
        mapped: Array = (x.astype(jnp.float32) - mean) @ weights["matrix"]
        return mapped


@dataclass(frozen=True)
class WithNormalizedLayer:
    """A network that also records `"<layer>@layernorm"`: each position's normalized channels."""

    network: Network
    layer: str
    name: str = "layernorm"

    def __call__(self, weights: Any, image: Image, record: Record) -> Any:
        """Run the network, then the normalization; the normalization is always in float32."""
        return _run(self, weights, image, record)

    def original(self, weights: Any) -> Any:
        """Return the weights of the network itself."""
        return weights

    def apply(
        self, weights: Any, x: Float[Array, "*space channels"]
    ) -> Float[Array, "*space channels"]:
        """Normalize the layer's activations."""
        del weights
        return layer_normalize(x.astype(jnp.float32))


WithLayer: TypeAlias = WithAffineLayer | WithNormalizedLayer


def _run(network: WithLayer, weights: Any, image: Image, record: Record) -> Any:
    """Run the network inside, and record the mapped layer."""
    out = network.network(network.original(weights), image, record)
    mapped = network.apply(weights, record.activations[network.layer])
    record.add_space(network.layer, network.name, mapped)
    return out


def layer_normalize(x: Float[Array, "*space channels"]) -> Float[Array, "*space channels"]:
    """Return (x - mean) / sqrt(variance + epsilon) over the channels, without scale and offset.

    Ba, Kiros and Hinton 2016, section 3, at each position as transformers do.
    """
    centered = x - x.mean(-1, keepdims=True)
    normalized: Array = centered * lax.rsqrt((centered**2).mean(-1, keepdims=True) + EPSILON)
    return normalized


def with_normalized_layer(model: Model, layer: str) -> Model:
    """Return the model with the layer `"<layer>@layernorm"`.

    Raises:
        ValueError: an unknown layer.
    """
    checks.choice("layer", layer, model.layers)
    network = WithNormalizedLayer(model.network, layer)
    return model.replace(network=network)  # type: ignore[attr-defined, no-any-return]


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
