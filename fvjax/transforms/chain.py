"""The identity, and the composition of transforms."""

import jax

from fvjax.pytree import dataclass
from fvjax.transforms.transform import Transform
from fvjax.types import Image, Key


@dataclass
class Identity:
    """The identity."""

    def __call__(self, key: Key, image: Image) -> Image:
        """Return the image."""
        del key
        return image


@dataclass
class Chain:
    """Transforms applied in order, each with its own key."""

    transforms: tuple[Transform, ...]

    def __call__(self, key: Key, image: Image) -> Image:
        """Apply the transforms in order."""
        for transform, part in zip(
            self.transforms, jax.random.split(key, len(self.transforms)), strict=True
        ):
            image = transform(part, image)
        return image
