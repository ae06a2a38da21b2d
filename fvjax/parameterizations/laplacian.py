"""An image as a sum of images of decreasing resolution."""

from typing import ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size, from_rgb, normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number

Levels: TypeAlias = tuple[Float[Array, "_ _ 3"], ...]  # (rows, columns, 3), finest first


@dataclass
class Laplacian:
    """The sum of images of size, size//2, size//4, ... pixels, each enlarged bilinearly.

    Lucid's laplacian_pyramid_image (lucid/optvis/param/spatial.py), but for the enlargement: pixels
    are centred here, TensorFlow's legacy resize shifts each level by half a coarse pixel.
    """

    learning_rate: ClassVar[float] = 0.05
    image_size: ImageSize = static()  # pixels: one number, or height and width
    levels: int = static(default=4)  # Lucid's
    stddev: Number = 0.01  # standard deviation of the initial values of every level; Lucid: .01
    decorrelate: bool = static(default=True)

    def __post_init__(self) -> None:
        """Refuse a stddev of 0, and levels coarser than one pixel."""
        shorter = min(fix_size(self))
        checks.count("levels", self.levels, most=shorter.bit_length())
        checks.positive("stddev", self.stddev)
        checks.boolean("decorrelate", self.decorrelate)

    def init(self, key: Key) -> Levels:
        """Return independent normal values, finest level first."""
        height, width = height_width(self.image_size)
        sizes = [(height >> level, width >> level) for level in range(self.levels)]
        keys = jax.random.split(key, self.levels)
        return tuple(
            self.stddev * normal(k, (*size, 3)) for k, size in zip(keys, sizes, strict=True)
        )

    def encode(self, image: Image) -> Levels:
        """Return levels whose finest is the image, clipped to half a level of 8 bits."""
        height, width = height_width(self.image_size)
        finest = from_rgb(image, self.decorrelate)
        coarser = [(height >> level, width >> level, 3) for level in range(1, self.levels)]
        return finest, *(jnp.zeros(shape) for shape in coarser)

    def decode(self, params: Levels) -> Image:
        """Enlarge bilinearly, sum, and apply colour space and sigmoid."""
        shape = (*height_width(self.image_size), 3)
        enlarged = [jax.image.resize(level, shape, "linear") for level in params]
        return to_rgb(jnp.sum(jnp.stack(enlarged), 0), self.decorrelate)
