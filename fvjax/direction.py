"""A direction: what to look for in one layer's activations."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from jax import lax
from jaxtyping import Array, Float

from fvjax.activations import layer_of
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Image

View = Callable[[Image], Array]
Share: TypeAlias = float | Float[Array, ""]  # of the way through a job's images, 0 to 1


class Forward(Protocol):
    """What a direction asks of a model: activations by layer of one image."""

    def __call__(self, image: Image, /) -> Activations:
        """Run forward."""


def base(layer: str) -> str:
    """The network's layer under one of another space: "conv4" of "conv4@whitened"."""
    return layer.partition("/")[0]


@dataclass
class Direction:
    """A vector in the activations of `layer`; its length is kept, objectives use what they need."""

    vector: Float[Array, "channels"] | Float[Array, "height width channels"]
    layer: str = static()
    origin: "Direction | None" = None  # where it came from, if it travelled to another space

    @property
    def original(self) -> "Direction":
        """The same direction in the space of the network's own layer."""
        return self if self.origin is None else self.origin

    def at(self, share: Share) -> "Direction":
        """The same for each image of a job."""
        del share
        return self

    def resolve(self, model: Forward, view: View) -> "Direction":
        """A fixed direction is its own target."""
        del model, view
        return self


@dataclass
class FromImage:
    """The activations of `image` at `layer` under each step's transform: a caricature's target."""

    image: Image
    layer: str = static()

    @property
    def original(self) -> "FromImage":
        """The same image's activations in the space of the network's own layer."""
        return FromImage(image=self.image, layer=base(self.layer))

    def at(self, share: Share) -> "FromImage":
        """The same for each image of a job."""
        del share
        return self

    def resolve(self, model: Forward, view: View) -> Direction:
        """The image's activations (height, width, channels) under `view`, without gradient."""
        activations = lax.stop_gradient(model(view(self.image)))

        def at(layer: str, origin: Direction | None = None) -> Direction:
            vector = layer_of(activations, layer)
            return Direction(vector=vector, layer=layer, origin=origin)

        under = base(self.layer)
        return at(self.layer) if under == self.layer else at(self.layer, at(under))


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


@dataclass
class Interpolation:
    """The directions from one to another, one for each image of a job: (1 - t) v + t w."""

    first: Direction
    second: Direction

    @property
    def layer(self) -> str:
        """Of both."""
        return self.first.layer

    @property
    def original(self) -> "Interpolation":
        """The same in the plain space."""
        return Interpolation(first=self.first.original, second=self.second.original)

    def at(self, share: Share) -> Direction:
        """The direction of the image at this share of the way."""

        def mix(one: Direction, other: Direction) -> Direction:
            vector = (1 - share) * one.vector + share * other.vector
            return Direction(vector=vector, layer=one.layer)

        mixed = mix(self.first, self.second)
        if self.first.origin is None:
            return mixed
        origin = mix(self.first.original, self.second.original)
        return mixed.replace(origin=origin)  # type: ignore[attr-defined, no-any-return]


Target: TypeAlias = Direction | FromImage  # of one image
AnyDirection: TypeAlias = Target | Interpolation
