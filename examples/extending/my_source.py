"""A source of directions: the difference of two channels."""

from dataclasses import dataclass

import jax.numpy as jnp

import fvjax
from fvjax import checks
from fvjax.sources import DirectionInfo, Setup


@dataclass(frozen=True)
class Difference:
    """Channel `first` less channel `second`; the fields are the keys of the config file."""

    first: int
    second: int

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the direction, a label for people and its kind: point, vector or covector."""
        channels = setup.channels()
        checks.index("direction.first", self.first, channels)
        checks.index("direction.second", self.second, channels)
        vector = jnp.zeros(channels).at[self.first].add(1.0).at[self.second].add(-1.0)
        if self.first == self.second:
            raise ValueError("direction.first and direction.second must differ")
        direction = fvjax.Direction(vector=vector, layer=setup.layer)
        return DirectionInfo(direction, f"{setup.layer}:{self.first}-{self.second}", "covector")
