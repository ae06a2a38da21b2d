"""Directions between two others of one kind."""

from dataclasses import dataclass

import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction, Interpolation
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.reference import one_vector


@dataclass(frozen=True)
class Interpolate:
    """(1 - mix) v + mix w. The mix is part of the vector: it never recompiles."""

    first: DirectionSource
    second: DirectionSource
    mix: float  # 0 is the first direction, 1 the second; beyond, it is extrapolated

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The mixed direction, of the kind of both."""
        checks.finite("direction.mix", self.mix)
        one, other = _pair(self.first, self.second, model, layer, size, reference)
        vector = (1 - self.mix) * one_vector(one) + self.mix * one_vector(other)
        if not vector.any():
            raise ValueError(f"{one.label} and {other.label} cancel at direction.mix={self.mix}")
        direction = Direction(vector=jnp.asarray(vector, jnp.float32), layer=one.direction.layer)
        return DirectionInfo(direction, f"{one.label} to {other.label} {self.mix:g}", one.kind)


@dataclass(frozen=True)
class InterpolationPath:
    """All of the way: each image of a job (images_per_job) has a direction of its own."""

    first: DirectionSource
    second: DirectionSource

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The interpolation, of the kind of both."""
        one, other = _pair(self.first, self.second, model, layer, size, reference)
        ends = one.direction, other.direction
        one_vector(one), one_vector(other)
        assert isinstance(ends[0], Direction) and isinstance(ends[1], Direction)
        direction = Interpolation(first=ends[0], second=ends[1])
        return DirectionInfo(direction, f"{one.label} to {other.label}", one.kind)


def _pair(
    first: DirectionSource,
    second: DirectionSource,
    model: Model,
    layer: str,
    size: int,
    reference: ReferenceStatistics | None,
) -> tuple[DirectionInfo, DirectionInfo]:
    """Both ends; of different kinds or layers they are refused."""
    one, other = first(model, layer, size, reference), second(model, layer, size, reference)
    if one.kind != other.kind or one.direction.layer != other.direction.layer:
        raise ValueError(
            f"only directions of one kind and layer can be mixed: {one.label} is a {one.kind} of "
            f"{one.direction.layer}, {other.label} a {other.kind} of {other.direction.layer}"
        )
    return one, other
