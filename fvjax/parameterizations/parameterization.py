"""The protocol of a parameterization, and the shared colour space and noise."""

import math
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.types import Image, Key

# Lucid's colour_correlation_svd_sqrt (lucid/optvis/param/color.py), measured on ImageNet, divided
# by the largest norm of its columns; a row of decorrelated colour times its transpose is RGB.
_SVD_SQRT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = (_SVD_SQRT / np.linalg.norm(_SVD_SQRT, axis=0).max()).T.astype(np.float32)
_UNCOLOUR = np.linalg.inv(COLOUR.astype(np.float64)).astype(np.float32)

# Black and white have no finite raw value: the error is half a level of an 8-bit image.
LEAST = 1 / 512


@runtime_checkable
class Parameterization(Protocol):
    """A pytree with two methods; `image_size` is static.

    A third method, `encode(image) -> params`, is needed for octaves alone.
    """

    @property
    def image_size(self) -> ImageSize:
        """Pixels of the image: one number for a square, or height and width."""

    def init(self, key: Key) -> Any:
        """Return random parameters."""

    def decode(self, params: Any) -> Image:
        """Return the image of the parameters, in [0, 1]."""


def learning_rate_of(parameterization: Any) -> float:
    """Return the step size that suits a parameterization, .05 where it has none of its own."""
    return getattr(parameterization, "learning_rate", 0.05)


class Wrapper:
    """What a parameterization that changes another one's image takes from that one."""

    parameterization: Parameterization

    @property
    def image_size(self) -> ImageSize:
        """Pixels of the image: the other parameterization's."""
        return self.parameterization.image_size

    @property
    def learning_rate(self) -> float:
        """The other parameterization's."""
        return learning_rate_of(self.parameterization)

    def encode(self, image: Image) -> Any:
        """Return the other parameterization's parameters of an image."""
        return self.parameterization.encode(image)  # type: ignore[attr-defined]


def with_size(parameterization: Any, size: tuple[int, int]) -> Any:
    """Return the same parameterization for images of another size; a start is resampled."""
    if isinstance(parameterization, Wrapper):
        inner = with_size(parameterization.parameterization, size)
        return replace(parameterization, parameterization=inner)  # type: ignore[type-var]
    start = start_of(parameterization)
    changes = {} if start is None else {"start": resample(start, size)}
    return replace(parameterization, image_size=size, **changes)


def start_of(parameterization: Any) -> Image | None:
    """Return the image from which a parameterization starts, None for grey."""
    if isinstance(parameterization, Wrapper):
        return start_of(parameterization.parameterization)
    return getattr(parameterization, "start", None)


def resample(image: Array, size: tuple[int, int]) -> Array:
    """Return images (..., height, width, channels) at another size, in [0, 1], not aliased."""
    *several, _, _, channels = image.shape
    resampled = jax.image.resize(image, (*several, *size, channels), "cubic")
    return jnp.clip(resampled, 0, 1)


def fix_size(parameterization: Any, least: int = 1) -> tuple[int, int]:
    """Replace a size of one number by (height, width), so that equal sizes share a program."""
    size = height_width(parameterization.image_size, least=least)
    object.__setattr__(parameterization, "image_size", size)
    return size


def check_noise(size: tuple[int, int], stddev: Any, decorrelate: Any, start: Any) -> None:
    """Refuse a stddev, colour space or start that is not allowed.

    The stddev may be 0 only with a start: otherwise all seeds have the same initial image.
    """
    checks.boolean("decorrelate", decorrelate)
    if start is None:
        checks.positive("stddev", stddev)
    else:
        checks.not_negative("stddev", stddev)
        checks.shape("start", start, (*size, 3), "an image in [0, 1]")


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Return independent standard normal values.

    Values are drawn flat: under vmap, jax 0.10 compiles threefry bits of several axes 20 times
    slower.
    """
    return jax.random.normal(key, (math.prod(shape),)).reshape(shape)


def uniform_phase(key: Key, shape: tuple[int, ...]) -> Array:
    """Return independent angles in radians, uniform on the circle; drawn flat, as in `normal`."""
    drawn = jax.random.uniform(key, (math.prod(shape),), minval=-math.pi, maxval=math.pi)
    return drawn.reshape(shape)


def to_rgb(raw: Float[Array, "height width 3"], decorrelate: bool) -> Image:
    """Return an image in [0, 1] from unbounded values in Lucid's decorrelated colours or RGB."""
    return jax.nn.sigmoid(_mixed(raw, COLOUR) if decorrelate else raw)


def from_rgb(image: Image, decorrelate: bool) -> Float[Array, "height width 3"]:
    """Return the inverse of `to_rgb` for an image clipped to [LEAST, 1 - LEAST]."""
    clipped = jnp.clip(image, LEAST, 1 - LEAST)
    raw = jnp.log(clipped) - jnp.log1p(-clipped)
    return _mixed(raw, _UNCOLOUR) if decorrelate else raw


def _mixed(raw: Float[Array, "height width 3"], matrix: Any) -> Float[Array, "height width 3"]:
    """Return `raw @ matrix` as products and sums, in float32 whatever the network's precision.

    A matrix product with three columns is slow on a CPU and on a GPU, and fuses with nothing.
    """
    planes = [raw[..., c] for c in range(3)]
    return jnp.stack([sum(planes[i] * matrix[i, c] for i in range(3)) for c in range(3)], -1)
