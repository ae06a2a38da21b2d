"""Random backgrounds behind a transparent image, as in Lucid's `collapse_alpha_random`."""

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.parameterizations.fourier import Fourier
from fvjax.pytree import dataclass
from fvjax.transforms.standard import Standard
from fvjax.transforms.transform import Transform
from fvjax.transparency import over
from fvjax.types import Image, Key, Number


@dataclass
class RandomBackground:
    """Compose the image over random Fourier noise, then transform it.

    The result is opaque and keeps its four channels. At stddev 0 the background is the grey over
    which a network sees a transparent image. An image without alpha is only transformed.
    """

    transform: Transform = Standard()
    stddev: Number = 0.5  # of the background's Fourier coefficients; Lucid's

    def __post_init__(self) -> None:
        """Refuse a negative stddev."""
        checks.not_negative("stddev", self.stddev)

    def __call__(self, key: Key, image: Image) -> Image:
        """Return a random view over a random background."""
        drawn, moved = jax.random.split(key)
        if image.shape[-1] == 4:
            noise = Fourier(image_size=(image.shape[0], image.shape[1]), stddev=1.0)
            background = noise.decode(self.stddev * noise.init(drawn))
            composed = over(image, background)
            image = jnp.concatenate([composed, jnp.ones_like(composed[..., :1])], -1)
        return self.transform(moved, image)
