"""A penalty: how far the image's mean brightness is from a given one."""

import jax.numpy as jnp

import fvjax
from fvjax.pytree import dataclass


@dataclass
class Brightness(fvjax.Objective):
    """(mean of the image - target)²: positive; the sweep subtracts penalty.weight times it."""

    target: float = 0.5

    def __call__(self, activations, direction):
        """Return the penalty of one image; activations["image"] is the image itself."""
        del direction
        return (jnp.mean(activations["image"]) - self.target) ** 2
