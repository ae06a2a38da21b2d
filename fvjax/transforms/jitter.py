"""Whole-pixel shifts that wrap around, as in DeepDream."""

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.pytree import dataclass
from fvjax.types import Image, Key, Number


@dataclass
class Jitter:
    """A random shift of up to `pixels` down and across, which wraps around."""

    pixels: Number = 8.0

    def __post_init__(self) -> None:
        """Refuse a negative distance."""
        checks.not_negative("pixels", self.pixels)

    def __call__(self, key: Key, image: Image) -> Image:
        """Shift by whole pixels, uniform on -n ... n for the n whole pixels in `pixels`."""
        most = jnp.floor(self.pixels)
        places = jnp.floor(jax.random.uniform(key, (2,)) * (2 * most + 1))
        down, across = (places - most).astype(jnp.int32)
        return jnp.roll(image, (down, across), (0, 1))
