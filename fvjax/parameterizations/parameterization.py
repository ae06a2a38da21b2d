"""What a parameterization is, and the colour space that all of them share."""

import math
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax.types import Image, Key

# Lucid's colour_correlation_svd_sqrt (lucid/optvis/param/color.py), measured on ImageNet, divided
# by the largest norm of its columns; a row of decorrelated colour times its transpose is RGB.
_SVD_SQRT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = (_SVD_SQRT / np.linalg.norm(_SVD_SQRT, axis=0).max()).T.astype(np.float32)


class Parameterization(Protocol):
    """A pytree with two methods; `size` is the side of the square image in pixels, static."""

    @property
    def size(self) -> int:
        """Side of the image in pixels."""

    def init(self, key: Key) -> Any:
        """Random parameters."""

    def decode(self, params: Any) -> Image:
        """The image of the parameters, in [0, 1]."""


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Independent standard normal values.

    Drawn flat: under vmap, jax 0.10 compiles threefry bits of several axes twenty times slower.
    """
    return jax.random.normal(key, (math.prod(shape),)).reshape(shape)


def to_rgb(raw: Float[Array, "height width 3"], decorrelate: bool) -> Image:
    """An image in [0, 1] from unbounded values, in Lucid's decorrelated colours or in RGB."""
    if decorrelate:  # in float32 whatever the network's precision
        raw = jnp.matmul(raw, jnp.asarray(COLOUR), precision="highest")
    return jax.nn.sigmoid(raw)
