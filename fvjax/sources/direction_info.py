"""A direction with its label, its kind and its provenance."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from fvjax.affine_map import Kind as Kind
from fvjax.direction import AnyDirection, with_position
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class DirectionInfo:
    """A direction with its description; only the direction enters a Job.

    Attributes:
        direction: the direction in the network's own space.
        label: the direction's name in tables and figures.
        kind: point, vector or covector; decides the mapping under a linear transform.
        channel: the channel, if the direction is exactly one.
        concept: the label that the direction represents, such as "texture=stripes".
        feature: the feature of a planted model that the direction represents.
        reference_projections: (images,) the reference images' dot products with the direction.
    """

    direction: AnyDirection
    label: str
    kind: Kind
    channel: int | None = None
    concept: str | None = None
    feature: int | None = None
    reference_projections: np.ndarray | None = None

    def at_position(self, setup: Setup) -> "DirectionInfo":
        """Return the same direction at the setup's position."""
        direction = with_position(self.direction, setup.place(self.direction.layer))
        return replace(self, direction=direction)


@runtime_checkable
@runtime_checkable
class DirectionSource(Protocol):
    """A source of directions, constructed from plain values."""

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the direction at all positions of its layer.

        Raises:
            ValueError: the setup has no such direction.
        """
