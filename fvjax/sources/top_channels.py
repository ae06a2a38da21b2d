"""A direction's strongest channels: half-way between an activation vector and a neuron."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.direction import Direction
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.reference import one_vector
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class TopChannels:
    """A weighted sum of the `count` channels of largest magnitude in another direction.

    All channels of an activation vector are the vector itself; a single channel is its strongest
    neuron. Sums of neurons are covectors.
    """

    of: DirectionSource
    count: int = 4

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the covector, with the weights of the other direction."""
        base = self.of.resolve(setup)
        vector = one_vector(base)
        checks.count("direction.count", self.count, most=len(vector))
        strongest = np.argsort(-np.abs(vector), kind="stable")[: self.count]
        sparse = np.zeros_like(vector)
        sparse[strongest] = vector[strongest]
        direction = Direction(vector=jnp.asarray(sparse, jnp.float32), layer=base.direction.layer)
        channel = int(strongest[0]) if self.count == 1 else None
        which = f"{self.count} strongest" if channel is None else f"strongest :{channel}"
        return DirectionInfo(direction, f"{base.label}, {which}", "covector", channel)
