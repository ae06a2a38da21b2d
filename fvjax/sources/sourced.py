"""What a source of directions yields."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from fvjax import checks
from fvjax.direction import AnyDirection
from fvjax.models.model import Model

# How a direction travels through a linear transform of the space. A point (an activation, a
# centroid) moves with the origin, a vector (a difference, a factor) does not, a covector (a neuron,
# a logit) reads the space, has no length of its own and transforms inversely.
Kind = Literal["point", "vector", "covector"]


@dataclass(frozen=True)
class Sourced:
    """A direction and what people and spaces must know of it; only the direction enters a Job."""

    direction: AnyDirection
    label: str
    kind: Kind
    channel: int | None = None  # the channel, where the direction is exactly one
    natural: dict[str, float] = field(default_factory=dict)  # its projection on reference images


class Source(Protocol):
    """Finds a direction at a layer of a model; constructed from plain values."""

    def __call__(self, model: Model, layer: str, size: int) -> Sourced:
        """The direction for images of `size` pixels; ValueError when there is none such."""


def channels_of(model: Model, layer: str) -> int:
    """Channels of a layer; an unknown one raises ValueError naming the closest."""
    checks.choice("layer", layer, model.layers)
    return model.layers[layer][-1]
