"""An image with an opacity of its own, so that it shows where the objective needs no pixels."""

from typing import Any

import jax
import jax.numpy as jnp

from fvjax.parameterizations.parameterization import Parameterization, Wrapper
from fvjax.pytree import dataclass
from fvjax.types import Image, Key


@dataclass
class Transparent(Wrapper):
    """Colours and opacity, both made by another parameterization: (height, width, 4).

    As Lucid's images with alpha (Mordvintsev et al. 2018, "Differentiable image parameterizations",
    semi-transparent patterns). The opacity is the mean of a second image's colours; at the start it
    is about .5. Use `RandomBackground` and the penalty `Opacity`: without them it means nothing.
    """

    parameterization: Parameterization

    def init(self, key: Key) -> tuple[Any, Any]:
        """Return random parameters of the colours and of the opacity."""
        colours, opacity = jax.random.split(key)
        return self.parameterization.init(colours), self.parameterization.init(opacity)

    def encode(self, image: Image) -> tuple[Any, Any]:
        """Return the parameters of colours and alpha."""
        encode = self.parameterization.encode  # type: ignore[attr-defined]
        return encode(image[..., :3]), encode(jnp.repeat(image[..., 3:], 3, -1))

    def decode(self, params: tuple[Any, Any]) -> Image:
        """Return colours and alpha, in [0, 1]."""
        colours, opacity = (self.parameterization.decode(part) for part in params)
        return jnp.concatenate([colours, jnp.mean(opacity, -1, keepdims=True)], -1)
