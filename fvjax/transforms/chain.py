"""No transform, and several in a row."""

import jax

from fvjax.pytree import dataclass
from fvjax.transforms.transform import Transform
from fvjax.types import Image, Key


@dataclass
class Identity:
    """The image as it is."""

    def __call__(self, key: Key, image: Image) -> Image:
        """Return the image."""
        del key
        return image


@dataclass
class Chain:
    """Transforms in a row, each with a key of its own."""

    transforms: tuple[Transform, ...]

    def __call__(self, key: Key, image: Image) -> Image:
        """Apply the first transform first."""
        for transform, part in zip(
            self.transforms, jax.random.split(key, len(self.transforms)), strict=True
        ):
            image = transform(part, image)
        return image
