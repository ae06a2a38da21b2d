"""Reading activations: by layer, by position, and norms that are safe to differentiate."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.types import Activations


def layer_of(activations: Activations, layer: str) -> Array:
    """The activations of one layer; an unknown one raises ValueError naming the closest."""
    checks.choice("layer", layer, activations)
    return activations[layer]


def norm(x: Float[Array, "*shape channels"]) -> Float[Array, "*shape 1"]:
    """Euclidean length over the last axis, kept as an axis; its gradient at zero is zero."""
    squared = jnp.sum(x * x, -1, keepdims=True)
    awake = squared > 0
    return jnp.where(awake, jnp.sqrt(jnp.where(awake, squared, 1.0)), 0.0)


def unit(x: Float[Array, "*shape channels"]) -> Float[Array, "*shape channels"]:
    """`x` divided by its length over the last axis; zero stays zero, with a finite gradient."""
    length = norm(x)
    return x / jnp.where(length > 0, length, 1.0)
