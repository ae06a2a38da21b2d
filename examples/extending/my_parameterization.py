"""A parameterization as a plain dataclass: stripes of one colour each."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass
class Stripes:
    """Each row of pixels has one colour; a sweep gives the image size as (height, width)."""

    image_size: tuple[int, int]
    spread: float = 0.1

    def init(self, key):
        """Return random parameters."""
        return self.spread * jax.random.normal(key, (self.image_size[0], 1, 3))

    def decode(self, params):
        """Return the image (height, width, 3) of the parameters, in [0, 1]."""
        return jnp.broadcast_to(jax.nn.sigmoid(params), (*self.image_size, 3))
