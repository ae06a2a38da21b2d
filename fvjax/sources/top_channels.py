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
    """A weighted sum of the `count` channels that are largest, in magnitude, in another direction.

    Of an activation vector, all channels are the vector itself (in the network's own space), one
    is the neuron that it excites most. A sum of neurons is a covector, as a neuron is.
    """

    of: DirectionSource
    count: int = 4

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the covector, with the weights of the other direction."""
        whole = self.of.resolve(setup)
        vector = one_vector(whole)
        checks.count("direction.count", self.count, most=len(vector))
        kept = np.argsort(-np.abs(vector), kind="stable")[: self.count]
        sparse = np.zeros_like(vector)
        sparse[kept] = vector[kept]
        direction = Direction(vector=jnp.asarray(sparse, jnp.float32), layer=whole.direction.layer)
        channel = int(kept[0]) if self.count == 1 else None
        which = f"{self.count} strongest" if channel is None else f"strongest :{channel}"
        return DirectionInfo(direction, f"{whole.label}, {which}", "covector", channel)
