"""Activations by layer, and norms with finite gradients."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.types import Activations


def layer_of(activations: Activations, layer: str) -> Array:
    """Return the activations of one layer.

    Raises:
        ValueError: an unknown layer; the message names the closest layers.
    """
    checks.choice("layer", layer, activations)
    return activations[layer]


def norm(x: Float[Array, "*shape channels"]) -> Float[Array, "*shape 1"]:
    """Return the Euclidean length over the last axis, kept as an axis; gradient 0 at zero."""
    squared = jnp.sum(x * x, -1, keepdims=True)
    nonzero = squared > 0
    return jnp.where(nonzero, jnp.sqrt(jnp.where(nonzero, squared, 1.0)), 0.0)


def unit(x: Float[Array, "*shape channels"]) -> Float[Array, "*shape channels"]:
    """Return `x` over its length along the last axis; zero stays zero, with a finite gradient."""
    length = norm(x)
    return x / jnp.where(length > 0, length, 1.0)
