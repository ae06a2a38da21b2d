"""Directions between two directions of one kind."""

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
    mix: float = 0.5  # 0 is the first direction, 1 the second; other values extrapolate

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the mixed direction, of the kind of both."""
        checks.finite("direction.mix", self.mix)
        start, end = resolve_pair(self.first, self.second, setup)
        vector = (1 - self.mix) * one_vector(start) + self.mix * one_vector(end)
        if not vector.any():
            raise ValueError(f"{start.label} and {end.label} cancel at direction.mix={self.mix}")
        direction = Direction(vector=jnp.asarray(vector, jnp.float32), layer=start.direction.layer)
        return DirectionInfo(direction, f"{start.label} to {end.label} {self.mix:g}", start.kind)


@dataclass(frozen=True)
class InterpolationPath:
    """Interpolated directions, one for each image of a job (images_per_job)."""

    first: DirectionSource
    second: DirectionSource

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the interpolation, of the kind of both."""
        start, end = resolve_pair(self.first, self.second, setup)
        ends = start.direction, end.direction
        one_vector(start), one_vector(end)
        assert isinstance(ends[0], Direction) and isinstance(ends[1], Direction)
        direction = Interpolation(first=ends[0], second=ends[1])
        return DirectionInfo(direction, f"{start.label} to {end.label}", start.kind)


def resolve_pair(
    first: DirectionSource, second: DirectionSource, setup: Setup
) -> tuple[DirectionInfo, DirectionInfo]:
    """Resolve both directions; refuse directions of different kinds or layers."""
    start, end = first.resolve(setup), second.resolve(setup)
    if start.kind != end.kind or start.direction.layer != end.direction.layer:
        raise ValueError(
            f"only directions of one kind and layer can be mixed: {start.label} is a "
            f"{start.kind} of {start.direction.layer}, {end.label} a {end.kind} of "
            f"{end.direction.layer}"
        )
    return start, end
