"""Directions between two others of one kind."""

from dataclasses import dataclass

import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction, Interpolation
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.reference import one_vector
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class Interpolate:
    """(1 - mix) v + mix w. The mix is part of the vector: it never recompiles."""

    first: DirectionSource
    second: DirectionSource
    mix: float = 0.5  # 0 is the first direction, 1 the second; beyond, it is extrapolated

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the mixed direction, of the kind of both."""
        checks.finite("direction.mix", self.mix)
        one, other = _pair(self.first, self.second, setup)
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

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the interpolation, of the kind of both."""
        one, other = _pair(self.first, self.second, setup)
        ends = one.direction, other.direction
        one_vector(one), one_vector(other)
        assert isinstance(ends[0], Direction) and isinstance(ends[1], Direction)
        direction = Interpolation(first=ends[0], second=ends[1])
        return DirectionInfo(direction, f"{one.label} to {other.label}", one.kind)


def _pair(
    first: DirectionSource, second: DirectionSource, setup: Setup
) -> tuple[DirectionInfo, DirectionInfo]:
    """Resolve both ends; ends of different kinds or layers are refused."""
    one, other = first.resolve(setup), second.resolve(setup)
    if one.kind != other.kind or one.direction.layer != other.direction.layer:
        raise ValueError(
            f"only directions of one kind and layer can be mixed: {one.label} is a {one.kind} of "
            f"{one.direction.layer}, {other.label} a {other.kind} of {other.direction.layer}"
        )
    return one, other
