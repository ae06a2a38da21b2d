"""An image of fixed mean, fixed contrast or without colours, made by another parameterization."""

from typing import Any

import jax.numpy as jnp

from fvjax import checks
from fvjax.parameterizations.parameterization import Parameterization, Wrapper
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601


@dataclass
class Constrained(Wrapper):
    """Another parameterization's image, shifted and scaled to a mean and an RMS contrast.

    RMS contrast is the standard deviation of all values, which lie in [0, 1] (Peli 1990). Most
    exciting images of neurons are compared at equal contrast (Walker et al. 2019). Values beyond 0
    and 1 are clipped, so that a large contrast comes out smaller.

    Attributes:
        parameterization: makes the image.
        mean: mean over pixels and colours; the image's own if None.
        contrast: standard deviation over pixels and colours; the image's own if None.
        gray: whether all colours are the luma, for networks of gray images.
    """

    parameterization: Parameterization
    mean: Number | None = None
    contrast: Number | None = None
    gray: bool = static(default=False)

    def __post_init__(self) -> None:
        """Refuse a mean outside ]0, 1[ and a contrast outside ]0, .5]."""
        for name in ("mean", "contrast"):
            if getattr(self, name) is not None:
                checks.positive(name, getattr(self, name))
        if self.mean is not None:
            checks.below("mean", self.mean, 1)
        if self.contrast is not None:
            checks.at_most("contrast", self.contrast, 0.5)
        checks.boolean("gray", self.gray)

    def init(self, key: Key) -> Any:
        """Return the other parameterization's random parameters."""
        return self.parameterization.init(key)

    def decode(self, params: Any) -> Image:
        """Return the image, in [0, 1]."""
        image = self.parameterization.decode(params)
        if self.gray:
            luma = jnp.sum(image * jnp.array(_LUMA)[None, None], -1, keepdims=True)
            image = jnp.broadcast_to(luma, image.shape)
        if self.mean is None and self.contrast is None:
            return image
        mean = jnp.mean(image)
        centred = image - mean
        if self.contrast is not None:
            variance = jnp.mean(centred**2)
            flat = variance == 0
            centred = centred * jnp.where(
                flat, 0.0, self.contrast / jnp.sqrt(jnp.where(flat, 1.0, variance))
            )
        return jnp.clip(centred + (mean if self.mean is None else self.mean), 0, 1)
