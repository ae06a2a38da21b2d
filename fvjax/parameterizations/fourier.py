"""An image as its Fourier coefficients, scaled like those of photographs."""

import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import check_noise, fix_size, from_rgb, normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Images, Key, Number

_LUCID_QUARTER = 0.25  # lucid/optvis/param/spatial.py divides by 4, "magic constant from library"


@dataclass
class Fourier:
    """Real Fourier coefficients, each divided by frequency^decay_power (Lucid's fft_image).

    Power 0 is white noise, 1 the spectrum of photographs. Frequencies are in cycles per pixel, at
    least 1 / the longer side, as in Lucid. Coefficients are multiplied by sqrt(height * width). By
    default the raw image's initial standard deviation is Lucid's, .0186 at 128 pixels.

    Attributes:
        image_size: pixels, one number or height and width.
        stddev: standard deviation of the initial coefficients; Lucid's .01.
        decay_power: exponent of the frequency; Lucid's 1.
        decorrelate: whether colours are those of Lucid's decorrelated space.
        start: (height, width, 3), an image to start from in place of grey; `stddev` may then be 0.
    """

    learning_rate: ClassVar[float] = 0.05  # Lucid's
    image_size: ImageSize = static()
    stddev: Number = 0.01
    decay_power: Number = 1.0
    decorrelate: bool = static(default=True)
    start: Images | None = None

    def __post_init__(self) -> None:
        """Refuse a stddev, decay power or start that is not allowed."""
        check_noise(fix_size(self), self.stddev, self.decorrelate, self.start)
        checks.finite("decay_power", self.decay_power)

    def init(self, key: Key) -> Float[Array, "2 3 height half"]:
        """Return normal real and imaginary parts, for frequencies 0 ... width//2 across.

        If there is a start, the noise is added to its coefficients.
        """
        height, width = height_width(self.image_size)
        noise = self.stddev * normal(key, (2, 3, height, width // 2 + 1))
        return noise if self.start is None else self.encode(self.start) + noise

    def encode(self, image: Image) -> Float[Array, "2 3 height half"]:
        """Return the coefficients of an image, clipped to half a level of 8 bits."""
        raw = jnp.moveaxis(from_rgb(image, self.decorrelate), -1, 0)
        spectrum = jnp.fft.rfft2(raw) / (_LUCID_QUARTER * self._scale())[None]
        return jnp.stack([spectrum.real, spectrum.imag])

    def decode(self, params: Float[Array, "2 3 height half"]) -> Image:
        """Scale, transform back, and apply colour space and sigmoid."""
        spectrum = lax.complex(params[0], params[1]) * self._scale()[None]
        raw = jnp.fft.irfft2(spectrum, s=height_width(self.image_size)) * _LUCID_QUARTER
        return to_rgb(jnp.moveaxis(raw, 0, -1), self.decorrelate)

    def _scale(self) -> Float[Array, "height half"]:
        height, width = height_width(self.image_size)
        down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
        least = 1 / max(height, width)
        frequency = np.maximum(np.hypot(down, across), least).astype(np.float32)
        return math.sqrt(height * width) * jnp.asarray(frequency) ** -self.decay_power
