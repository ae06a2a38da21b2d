"""Directions that are units of the network: channels, classes, and random ones for comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction
from fvjax.models.model import Model
from fvjax.models.readout import readout
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources.direction_info import DirectionInfo, channels_of


def _one_hot(indices: tuple[int, ...], layer: str, channels: int) -> Direction:
    vector = jnp.zeros(channels).at[jnp.array(indices)].add(1.0)
    return Direction(vector=vector, layer=layer)


@dataclass(frozen=True)
class Channel:
    """One channel of the layer, or the sum of several."""

    index: int | Sequence[int]

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The one-hot (or several-hot) covector."""
        channels = channels_of(model, layer)
        indices = tuple(self.index) if isinstance(self.index, Sequence) else (self.index,)
        if isinstance(self.index, str):  # which is a sequence
            indices = (self.index,)
        if not indices:
            raise ValueError("direction.index must name at least one channel, got none")
        for index in indices:
            checks.index(f"direction.index at layer {layer!r}", index, channels)
        name = "+".join(str(i) for i in indices)
        channel = indices[0] if len(indices) == 1 else None
        return DirectionInfo(
            _one_hot(indices, layer, channels), f"{layer}:{name}", "covector", channel
        )


@dataclass(frozen=True)
class Logit:
    """One class of the network's readout, whatever the sweep's layer is."""

    index: int
    layer: str | None = None  # `readout` finds it

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The one-hot covector at the readout."""
        logits = readout(model) if self.layer is None else self.layer
        classes = channels_of(model, logits)
        checks.index(f"direction.index at layer {logits!r}", self.index, classes)
        named = model.layers[logits] == (len(model.classes),)
        name = model.classes[self.index] if named else f"{logits}:{self.index}"
        direction = _one_hot((self.index,), logits, classes)
        concept = name if named else f"class={self.index}"
        return DirectionInfo(direction, name, "covector", self.index, concept)


@dataclass(frozen=True)
class Random:
    """A unit vector uniform on the sphere."""

    seed: int

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The vector drawn from the seed."""
        checks.count("direction.seed", self.seed, least=0, most=checks.MOST_SEED)
        vector = jax.random.normal(jax.random.key(self.seed), (channels_of(model, layer),))
        direction = Direction(vector=vector / jnp.linalg.norm(vector), layer=layer)
        return DirectionInfo(direction, f"{layer}:random {self.seed}", "vector")
