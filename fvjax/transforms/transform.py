"""The protocol of a transform."""

from typing import Protocol, runtime_checkable

from fvjax.types import Image, Key


@runtime_checkable
class Transform(Protocol):
    """A pytree of strengths; at strength zero it is exactly the identity."""

    def __call__(self, key: Key, image: Image) -> Image:
        """Return a random view of the image, of the same shape or a smaller one."""
