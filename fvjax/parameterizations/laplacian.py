"""An image as a sum of coarser and coarser ones."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.parameterizations.parameterization import normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number


@dataclass
class Laplacian:
    """The sum of images of size, size//2, size//4, ... pixels, each enlarged bilinearly.

    Lucid's laplacian_pyramid_image (lucid/optvis/param/spatial.py), but for the enlargement: pixels
    are centred here, TensorFlow's legacy resize shifts each level by half a coarse pixel.
    """

    image_size: int = static()  # pixels, of a square image
    levels: int = static()  # Lucid: 4
    stddev: Number  # standard deviation of the initial values of every level; Lucid: .01
    decorrelate: bool = static()

    def __post_init__(self) -> None:
        """Refuse values that make no image, and levels coarser than one pixel."""
        checks.count("image_size", self.image_size)
        checks.count("levels", self.levels, most=int(self.image_size).bit_length())
        checks.positive("stddev", self.stddev)
        checks.boolean("decorrelate", self.decorrelate)

    def init(self, key: Key) -> tuple[Float[Array, "side side 3"], ...]:
        """Independent normal values, finest level first."""
        sides = [self.image_size >> level for level in range(self.levels)]
        keys = jax.random.split(key, self.levels)
        return tuple(
            self.stddev * normal(k, (side, side, 3)) for k, side in zip(keys, sides, strict=True)
        )

    def decode(self, params: tuple[Float[Array, "side side 3"], ...]) -> Image:
        """Enlarge and sum (linear), then colour space and sigmoid."""
        shape = (self.image_size, self.image_size, 3)
        enlarged = [jax.image.resize(level, shape, "linear") for level in params]
        return to_rgb(jnp.sum(jnp.stack(enlarged), 0), self.decorrelate)
