"""An image as the phases of its Fourier coefficients, whose magnitudes are those of photographs."""

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size, from_rgb, to_rgb, uniform_phase
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key


@dataclass
class Maco:
    """Fourier coefficients of fixed magnitude and free phase (MACO: Fel et al. 2023, 2306.06805).

    The raw image, before colour space and sigmoid, has these magnitudes whatever the phases.
    Coefficients of opposite frequencies are conjugate: in column 0, and in column size/2 of an even
    size, the phases of rows above size/2 are unused. Coefficients that are their own opposites (the
    mean, and for an even size three at the Nyquist frequency) are real: magnitude * cos(phase), so
    at most the reference's. With a mere sign in place of the cosine, no gradient could change the
    image's mean colour.

    Xplique (maco_image_parametrization) and Horama (maco_preconditioner) interpolate a spectrum to
    the image's size and then standardise the raw image, which so has it up to a factor and its
    mean; and the phases, whose deviation of 1 has them agree at the first pixel.
    """

    learning_rate: ClassVar[float] = 0.05
    image_size: ImageSize = static()  # pixels: one number, or height and width
    magnitude: Float[Array, "3 height half"]  # `spectrum` of reference images, same colour space
    decorrelate: bool = static(default=True)

    def __post_init__(self) -> None:
        """Refuse magnitudes of another size."""
        height, width = fix_size(self)
        wanted = (3, height, width // 2 + 1)
        checks.shape("magnitude", self.magnitude, wanted, "a spectrum")
        checks.boolean("decorrelate", self.decorrelate)

    def init(self, key: Key) -> Float[Array, "3 height half"]:
        """Phases in radians, uniform on the circle."""
        height, width = height_width(self.image_size)
        return uniform_phase(key, (3, height, width // 2 + 1))

    def decode(self, params: Float[Array, "3 height half"]) -> Image:
        """Transform back, colour space and sigmoid."""
        turn = jnp.asarray(_turns(height_width(self.image_size)))[None]
        opposite = jnp.roll(params[:, ::-1], 1, axis=1)  # row -k, where row k was
        phase = jnp.where(turn < 0, -opposite, params)
        imaginary = jnp.where(turn == 0, 0.0, jnp.sin(phase))
        spectrum = lax.complex(self.magnitude * jnp.cos(phase), self.magnitude * imaginary)
        raw = jnp.fft.irfft2(spectrum, s=height_width(self.image_size))
        return to_rgb(jnp.moveaxis(raw, 0, -1), self.decorrelate)


def _turns(size: tuple[int, int]) -> Float[np.ndarray, "height half"]:
    """1 where a coefficient's phase is free, -1 where the opposite row's decides, 0 where real."""
    height, width = size
    rows, columns = np.indices((height, width // 2 + 1))
    own = (2 * columns) % width == 0  # the column is its own opposite
    free = ~own | (2 * rows < height)
    real = own & ((2 * rows) % height == 0)
    return np.where(real, 0, np.where(free, 1, -1))


def spectrum(images: Iterable[Any], decorrelate: bool = True) -> Float[Array, "3 height half"]:
    """Mean magnitude of the Fourier coefficients of images (size, size, 3), RGB in [0, 1].

    The coefficients are the raw image's, of which colour space and sigmoid make the image: of one
    photograph, they and its phases are the photograph.
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
