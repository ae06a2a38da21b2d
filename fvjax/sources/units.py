"""Directions that are units of the network: channels, classes, and random ones for comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction
from fvjax.models.class_names import class_label, find_class
from fvjax.models.readout import readout
from fvjax.sources.direction_info import DirectionInfo
from fvjax.sources.setup import Setup


def _one_hot(indices: Sequence[int], layer: str, channels: int) -> Direction:
    vector = jnp.zeros(channels).at[jnp.array(indices)].add(1.0)
    return Direction(vector=vector, layer=layer)


@dataclass(frozen=True)
class Channel:
    """A channel of the layer, or a weighted sum of channels.

    Attributes:
        index: the channel, or several.
        weight: a weight for each of several channels; 1 for each if None.
    """

    index: int | Sequence[int] = 0
    weight: Sequence[float] | None = None

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the one-hot covector, or the weighted sum of several."""
        layer, channels = setup.layer, setup.channels()
        many = isinstance(self.index, Sequence) and not isinstance(self.index, str)
        indices: tuple[Any, ...] = tuple(self.index) if many else (self.index,)  # type: ignore[arg-type]
        if not indices:
            raise ValueError("direction.index must name at least one channel, got none")
        for index in indices:
            checks.index(f"direction.index at layer {layer!r}", index, channels)
        weights = (1.0,) * len(indices) if self.weight is None else tuple(self.weight)
        if len(weights) != len(indices):
            raise ValueError(
                f"direction.weight must have one number for each of the {len(indices)} channels, "
                f"got {len(weights)}"
            )
        for weight in weights:
            checks.finite("direction.weight", weight)
        vector = jnp.zeros(channels).at[jnp.array(indices)].add(jnp.array(weights))
        if not bool(jnp.any(vector != 0)):
            raise ValueError(f"direction.weight={list(weights)} leaves no channel")
        direction = Direction(vector=vector, layer=layer)
        channel = indices[0] if len(indices) == 1 and weights[0] > 0 else None
        label = f"{layer}:{_sum(indices, weights)}"
        return DirectionInfo(direction, label, "covector", channel)


def _sum(indices: Sequence[int], weights: Sequence[float]) -> str:
    """Return a weighted sum of channels as text: `3`, `3+5`, `3-0.5*5`."""
    if all(weight == 1 for weight in weights):
        return "+".join(map(str, indices))
    terms = [
        f"{'-' if w < 0 else '+'}{'' if abs(w) == 1 else f'{abs(w):g}*'}{i}"
        for i, w in zip(indices, weights, strict=True)
    ]
    return "".join(terms).removeprefix("+")


@dataclass(frozen=True)
class Logit:
    """A class of the network's readout; the setup's layer has no effect.

    Attributes:
        index: the class's number, or its name if the network has names.
        layer: the readout; found by `readout` if None.
    """

    index: int | str = 0
    layer: str | None = None

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the one-hot covector at the readout."""
        model = setup.model
        layer = readout(model) if self.layer is None else self.layer
        units = setup.channels(layer)
        named = model.layers[layer] == (len(model.classes),)
        index = self.index
        if isinstance(index, str) and named:
            index = find_class(model.classes, index)
        checks.index(f"direction.index at layer {layer!r}", index, units)
        assert not isinstance(index, str)
        label = class_label(model.classes, index) if named else f"{layer}:{index}"
        concept = model.classes[index] if named else f"class={index}"
        return DirectionInfo(_one_hot((index,), layer, units), label, "covector", index, concept)


@dataclass(frozen=True)
class Random:
    """A unit vector uniform on the sphere."""

    seed: int = 0

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the vector drawn from the seed."""
        checks.count("direction.seed", self.seed, least=0, most=checks.MOST_SEED)
        vector = jax.random.normal(jax.random.key(self.seed), (setup.channels(),))
        direction = Direction(vector=vector / jnp.linalg.norm(vector), layer=setup.layer)
        return DirectionInfo(direction, f"{setup.layer}:random {self.seed}", "vector")
