"""A direction: a vector in one layer's activations, with positions."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from jax import lax
from jaxtyping import Array, Float, Int

from fvjax.activations import layer_of
from fvjax.positions import Place
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Image

View = Callable[[Image], Array]
Share: TypeAlias = float | Float[Array, ""]  # an image's place among a job's images, 0 to 1

SPACE = "@"  # separates the name of a layer from the name of a space


@runtime_checkable
class Forward(Protocol):
    """The part of a model that a direction needs: activations by layer of one image."""

    def __call__(self, image: Image, /) -> Activations:
        """Run forward."""


def base(layer: str) -> str:
    """Return the network's layer below one of another space: "conv4" of "conv4@whitened"."""
    return layer.rpartition(SPACE)[0] or layer


@dataclass
class Direction:
    """A vector in the activations of `layer`, not normalised."""

    vector: Float[Array, "... channels"]  # (channels,) or the shape of the layer
    layer: str = static()
    position: Place = None
    origin: "Direction | None" = None  # the direction before it was mapped to a space

    @property
    def original(self) -> "Direction":
        """The same direction in the space of the network's own layer."""
        return self if self.origin is None else self.origin.original

    def at(self, share: Share) -> "Direction":
        """Return the direction itself, which is the same for each image of a job."""
        del share
        return self

    def resolve(self, model: Forward, view: View) -> "Direction":
        """Return the direction itself: a fixed one is its own target."""
        del model, view
        return self


@dataclass
class FromImage:
    """The activations of `image` at `layer` under each step's transform: a caricature."""

    image: Image
    layer: str = static()
    position: Place = None

    @property
    def original(self) -> "FromImage":
        """The same image's activations in the space of the network's own layer."""
        return replace(self, layer=base(self.layer))

    def at(self, share: Share) -> "FromImage":
        """Return the direction itself, which is the same for each image of a job."""
        del share
        return self

    def resolve(self, model: Forward, view: View) -> Direction:
        """Return the image's activations (height, width, channels) under `view`, no gradient."""
        activations = lax.stop_gradient(model(view(self.image)))

        def at(layer: str, origin: Direction | None = None) -> Direction:
            vector = layer_of(activations, layer)
            return Direction(vector=vector, layer=layer, position=self.position, origin=origin)

        under = base(self.layer)
        return at(self.layer) if under == self.layer else at(self.layer, at(under))


@dataclass
class Interpolation:
    """Interpolated directions, one for each image of a job: (1 - t) v + t w."""

    first: Direction
    second: Direction

    @property
    def layer(self) -> str:
        """The layer of both directions."""
        return self.first.layer

    @property
    def position(self) -> Place:
        """The position of both directions."""
        return self.first.position

    @property
    def original(self) -> "Interpolation":
        """The same directions in the space of the network's own layer."""
        return Interpolation(first=self.first.original, second=self.second.original)

    def at(self, share: Share) -> Direction:
        """Return the direction (1 - share) first + share second."""

        def mix(first: Direction, second: Direction) -> Direction:
            vector = (1 - share) * first.vector + share * second.vector
            return replace(first, vector=vector, origin=None)

        mixed = mix(self.first, self.second)
        if self.first.origin is None:
            return mixed
        return replace(mixed, origin=mix(self.first.original, self.second.original))


Target: TypeAlias = Direction | FromImage  # of one image
AnyDirection: TypeAlias = Target | Interpolation


AnyOf = TypeVar("AnyOf", bound=AnyDirection)


def with_position(direction: AnyOf, place: Place) -> AnyOf:
    """Return the direction at one position of its layer, or at all positions if None."""
    if isinstance(direction, Interpolation):
        ends = with_position(direction.first, place), with_position(direction.second, place)
        changes: dict[str, Any] = {"first": ends[0], "second": ends[1]}
    else:
        changes = {"position": place}
        if isinstance(direction, Direction) and direction.origin is not None:
            changes["origin"] = with_position(direction.origin, place)
    positioned: AnyOf = replace(direction, **changes)
    return positioned


def in_space(direction: AnyDirection, name: str, mapped: Callable[[Array], Array]) -> AnyDirection:
    """Return the direction at layer "<layer>@<name>"; `origin` is the direction itself.

    Args:
        direction: in the network's own layer.
        name: of the space.
        mapped: maps the vector. An image's activations are mapped by the model.
    """
    if isinstance(direction, Interpolation):
        ends: Any = [in_space(end, name, mapped) for end in (direction.first, direction.second)]
        return Interpolation(first=ends[0], second=ends[1])
    layer = f"{direction.layer}{SPACE}{name}"
    if isinstance(direction, FromImage):
        return replace(direction, layer=layer)
    return replace(direction, vector=mapped(direction.vector), layer=layer, origin=direction)


def refuse_places(directions: Iterable[AnyDirection], reason: str) -> None:
    """Refuse directions at one position, and those with a vector for each position.

    Raises:
        ValueError: with the reason.
    """
    for direction in directions:
        vector = getattr(direction, "vector", None)
        if direction.position is not None or (vector is not None and vector.ndim > 1):
            raise ValueError(reason)


def layer_at(activations: Activations, layer: str, direction: Direction) -> Array:
    """Return a layer's activations at the positions of a term of the objective.

    The direction's own layer, in any space, is cut to the direction's position with axes of length
    1. Other layers and the image keep all positions.
    """
    a = layer_of(activations, layer)
    own = base(direction.layer), direction.original.layer
    if direction.position is None or a.ndim == 1 or base(layer) not in own:
        return a
    return _cut(a, direction.position)


def activations_at(activations: Activations, direction: Direction) -> tuple[Array, Array]:
    """Return a layer's activations at the direction's positions, and the vector that fits them.

    Returns:
        Activations (positions, channels), and the vector (1, channels) or (positions, channels).

    Raises:
        ValueError: an unknown layer, or a vector whose shape does not fit the layer.
    """
    a, v = layer_of(activations, direction.layer), direction.vector
    if v.shape[-1:] != a.shape[-1:] or (v.ndim != 1 and v.shape != a.shape):
        raise ValueError(
            f"a direction of shape {v.shape} does not fit layer {direction.layer!r} of shape "
            f"{a.shape}: it must have shape {a.shape[-1:]} or {a.shape}"
        )
    if direction.position is not None and a.ndim > 1:
        a, v = _cut(a, direction.position), _cut(v, direction.position) if v.ndim > 1 else v
    return a.reshape(-1, a.shape[-1]), v.reshape(-1, v.shape[-1])


def _cut(a: Array, place: Int[Array, "axes"]) -> Array:
    """Return one position of activations, with axes of length 1 in place of space."""
    starts = [place[i] for i in range(a.ndim - 1)]
    cut: Array = lax.dynamic_slice(a, [*starts, 0], [1] * (a.ndim - 1) + [a.shape[-1]])
    return cut
