"""An image as its Fourier coefficients, scaled like those of photographs."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.parameterizations.parameterization import check_noise, from_rgb, normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number

_LUCID_QUARTER = 0.25  # lucid/optvis/param/spatial.py divides by 4, "magic constant from library"


@dataclass
class Fourier:
    """Real Fourier coefficients, each divided by frequency^decay_power (Lucid's fft_image).

    decay_power 0 is white noise, 1 the spectrum of photographs; frequencies are in cycles per pixel
    and bounded below by 1/size. The initial standard deviation of the raw image is Lucid's: .0186
    at 128 pixels for stddev .01 and decay_power 1.
    """

    image_size: int = static()  # pixels, of a square image
    stddev: Number  # standard deviation of the initial coefficients; Lucid: .01
    decay_power: Number
    decorrelate: bool = static()
    start: Image | None = None  # an image to start from instead of grey; deviation may then be 0

    def __post_init__(self) -> None:
        """Refuse values that make no image."""
        check_noise(self.image_size, self.stddev, self.decorrelate, self.start)
        checks.finite("decay_power", self.decay_power)

    def init(self, key: Key) -> Float[Array, "2 3 height half"]:
        """Independent normal real and imaginary parts, for frequencies 0 ... size//2 across.

        They are added to the coefficients of the start, if there is one.
        """
        noise = self.stddev * normal(key, (2, 3, self.image_size, self.image_size // 2 + 1))
        if self.start is None:
            return noise
        raw = jnp.moveaxis(from_rgb(self.start, self.decorrelate), -1, 0)
        spectrum = jnp.fft.rfft2(raw) / (_LUCID_QUARTER * self._scale())[None]
        return jnp.stack([spectrum.real, spectrum.imag]) + noise

    def decode(self, params: Float[Array, "2 3 height half"]) -> Image:
        """Scale, transform back, colour space and sigmoid."""
        spectrum = lax.complex(params[0], params[1]) * self._scale()[None]
        raw = jnp.fft.irfft2(spectrum, s=(self.image_size, self.image_size)) * _LUCID_QUARTER
        return to_rgb(jnp.moveaxis(raw, 0, -1), self.decorrelate)

    def _scale(self) -> Float[Array, "height half"]:
        down = np.fft.fftfreq(self.image_size)[:, None]
        across = np.fft.rfftfreq(self.image_size)[None, :]
        frequency = np.maximum(np.hypot(down, across), 1 / self.image_size).astype(np.float32)
        return self.image_size * jnp.asarray(frequency) ** -self.decay_power
