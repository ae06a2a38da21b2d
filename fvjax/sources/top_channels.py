"""A direction's strongest channels: half-way between an activation vector and a neuron."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.direction import Direction
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.reference import one_vector


@dataclass(frozen=True)
class TopChannels:
    """A weighted sum of the `count` channels that are largest, in magnitude, in another direction.

    Of an activation vector, all channels are the vector itself (in the network's own space), one
    is the neuron that it excites most. A sum of neurons is a covector, as a neuron is.
    """

    of: DirectionSource
    count: int

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The covector, its weights those of the other direction."""
        whole = self.of(model, layer, size, reference)
        vector = one_vector(whole)
        checks.count("direction.count", self.count, most=len(vector))
        kept = np.argsort(-np.abs(vector), kind="stable")[: self.count]
        sparse = np.zeros_like(vector)
        sparse[kept] = vector[kept]
        direction = Direction(vector=jnp.asarray(sparse, jnp.float32), layer=whole.direction.layer)
        channel = int(kept[0]) if self.count == 1 else None
        which = f"{self.count} strongest" if channel is None else f"strongest :{channel}"
        return DirectionInfo(direction, f"{whole.label}, {which}", "covector", channel)
