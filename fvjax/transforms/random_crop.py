"""Random tiles of a picture, so that pictures of any size need the memory of one tile."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size
from fvjax.pytree import dataclass, static
from fvjax.transforms.standard import Standard
from fvjax.transforms.transform import Transform
from fvjax.types import Image, Key


@dataclass
class RandomCrop:
    """A random part of the picture, transformed; the network sees nothing else in this step.

    The picture wraps around, so that each pixel is seen equally often, as in DeepDream's shifted
    tiles. The expected gradient is that of all tiles. A picture smaller than `image_size` is seen
    whole. The first and the final score are of the picture's middle.
    """

    image_size: ImageSize = static(default=224)  # pixels of a tile: one number, or height and width
    transform: Transform = Standard()

    def __post_init__(self) -> None:
        """Refuse sizes that are no integers of at least 1."""
        fix_size(self)

    def __call__(self, key: Key, image: Image) -> Array:
        """Return a random view of (at most) the tile's size."""
        drawn, moved = jax.random.split(key)
        (height, width), size = image.shape[:2], height_width(self.image_size)
        tall, wide = (min(*both) for both in zip(size, image.shape[:2], strict=True))
        shifts = jnp.array([height * (tall < height), width * (wide < width)])
        down, across = jnp.floor(jax.random.uniform(drawn, (2,)) * shifts).astype(jnp.int32)
        rows = (down + jnp.arange(tall)) % height
        columns = (across + jnp.arange(wide)) % width
        return self.transform(moved, image[rows[:, None], columns[None, :]])


def middle(image: Image, shape: tuple[int, ...]) -> Array:
    """Return the middle of an image, of the shape of a view."""
    top, left = (image.shape[0] - shape[0]) // 2, (image.shape[1] - shape[1]) // 2
    return image[top : top + shape[0], left : left + shape[1]]
