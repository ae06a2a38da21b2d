"""An image as the phases of its Fourier coefficients, whose magnitudes are those of photographs."""

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size, from_rgb, to_rgb, uniform_phase
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key


@dataclass
class Maco:
    """Fourier coefficients of fixed magnitude and free phase (MACO: Fel et al. 2023, 2306.06805).

    The raw image, before colour space and sigmoid, has these magnitudes for all phases.
    Coefficients of opposite frequencies are conjugate: in column 0, and in column size/2 of an even
    size, the phases of rows above size/2 are unused. Coefficients that must be real (the mean, and
    for an even size three at the Nyquist frequency) are magnitude * cos(phase). A sign in place of
    the cosine would have zero gradient, and would fix the mean colour.

    Xplique (maco_image_parametrization) and Horama (maco_preconditioner) interpolate a spectrum to
    the image's size and standardise the raw image, which changes the mean and the scale. Their
    initial phases have a standard deviation of 1, and so agree at the first pixel.
    """

    learning_rate: ClassVar[float] = 0.05
    image_size: ImageSize = static()  # pixels: one number, or height and width
    magnitude: Float[Array, "*jobs 3 height half"]  # `spectrum` of images, same colour space
    decorrelate: bool = static(default=True)

    def __post_init__(self) -> None:
        """Refuse magnitudes of another size."""
        height, width = fix_size(self)
        expected = (3, height, width // 2 + 1)
        checks.shape("magnitude", self.magnitude, expected, "a spectrum")
        checks.boolean("decorrelate", self.decorrelate)

    def init(self, key: Key) -> Float[Array, "3 height half"]:
        """Return phases in radians, uniform on the circle."""
        height, width = height_width(self.image_size)
        return uniform_phase(key, (3, height, width // 2 + 1))

    def decode(self, params: Float[Array, "3 height half"]) -> Image:
        """Transform back, and apply colour space and sigmoid."""
        turn = jnp.asarray(_turns(height_width(self.image_size)))[None]
        opposite = jnp.roll(params[:, ::-1], 1, axis=1)  # row -k in place of row k
        phase = jnp.where(turn < 0, -opposite, params)
        imaginary = jnp.where(turn == 0, 0.0, jnp.sin(phase))
        spectrum = lax.complex(self.magnitude * jnp.cos(phase), self.magnitude * imaginary)
        raw = jnp.fft.irfft2(spectrum, s=height_width(self.image_size))
        return to_rgb(jnp.moveaxis(raw, 0, -1), self.decorrelate)


def _turns(size: tuple[int, int]) -> Int[np.ndarray, "height half"]:
    """Return 1 for a free phase, -1 for the opposite row's phase, 0 for a real coefficient."""
    height, width = size
    rows, columns = np.indices((height, width // 2 + 1))
    self_conjugate = (2 * columns) % width == 0
    free = ~self_conjugate | (2 * rows < height)
    real = self_conjugate & ((2 * rows) % height == 0)
    return np.where(real, 0, np.where(free, 1, -1))


def spectrum(images: Iterable[Any], decorrelate: bool = True) -> Float[Array, "3 height half"]:
    """Return the mean magnitude of the Fourier coefficients of images, RGB in [0, 1].

    The coefficients are those of the raw image, before colour space and sigmoid.
    """
    total: Any = 0.0
    count = 0
    for image in images:
        total, count = total + _magnitude(image, decorrelate), count + 1
    if not count:
        raise ValueError("a spectrum needs at least one image, got none")
    mean: Array = total / count
    return mean


@partial(jax.jit, static_argnums=1)
def _magnitude(image: Image, decorrelate: bool) -> Float[Array, "3 height half"]:
    raw = jnp.moveaxis(from_rgb(jnp.asarray(image), decorrelate), -1, 0)
    return jnp.abs(jnp.fft.rfft2(raw))
