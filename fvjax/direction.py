"""A direction: what to look for in one layer's activations."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from flax import struct
from jax import lax
from jaxtyping import Array, Float

from fvjax.activations import layer_of
from fvjax.types import Activations, Image

View = Callable[[Image], Array]


class Forward(Protocol):
    """What a direction asks of a model: activations by layer of one image."""

    def __call__(self, image: Image, /) -> Activations:
        """Run forward."""


@struct.dataclass(kw_only=True)
class Direction:
    """A vector in the activations of `layer`; its length is kept, objectives use what they need."""

    vector: Float[Array, "channels"] | Float[Array, "height width channels"]
    layer: str = struct.field(pytree_node=False)

    def resolve(self, model: Forward, view: View) -> "Direction":
        """A fixed direction is its own target."""
        del model, view
        return self


@struct.dataclass(kw_only=True)
class FromImage:
    """The activations of `image` at `layer` under each step's transform: a caricature's target."""

    image: Image
    layer: str = struct.field(pytree_node=False)

    def resolve(self, model: Forward, view: View) -> Direction:
        """The image's activations (height, width, channels) under `view`, without gradient."""
        target = layer_of(model(view(self.image)), self.layer)
        return Direction(vector=lax.stop_gradient(target), layer=self.layer)


def fitted(activations: Activations, direction: Direction) -> tuple[Array, Array]:
    """The activations of the direction's layer, and its vector, which fits them.

    Raises:
        ValueError: an unknown layer; a vector whose channels, or height and width, are not its own.
    """
    a, v = layer_of(activations, direction.layer), direction.vector
    if v.shape[-1:] != a.shape[-1:] or (v.ndim != 1 and v.shape != a.shape):
        raise ValueError(
            f"a direction of shape {v.shape} does not fit layer {direction.layer!r} of shape "
            f"{a.shape}: it must have shape {a.shape[-1:]} or {a.shape}"
        )
    return a, v


AnyDirection: TypeAlias = Direction | FromImage
