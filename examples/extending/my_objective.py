"""An objective: the dot product with a direction at the positions that excite it most."""

import jax.numpy as jnp

import fvjax
from fvjax import checks
from fvjax.pytree import dataclass


@dataclass
class SoftPeak(fvjax.Objective):
    """softmax-weighted mean over positions of a·d: one place of the image may carry the feature.

    A field without `static()` is a leaf, a number that a sweep may vary without a new compile.
    """

    sharpness: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a wrong value before anything is compiled."""
        checks.not_negative("sharpness", self.sharpness)

    def __call__(self, activations, direction):
        """Return the score of one image, a scalar that is maximised."""
        a, v = fvjax.activations_at(activations, direction)  # (positions, channels), (1, channels)
        dots = jnp.sum(a * v, -1) / jnp.linalg.norm(v)
        weights = jnp.exp(self.sharpness * (dots - jnp.max(dots)))
        return jnp.sum(weights * dots) / jnp.sum(weights)
