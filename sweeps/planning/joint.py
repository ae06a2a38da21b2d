"""`objective=joint`: the job's direction and units of other layers, excited by one image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction
from fvjax.models.class_names import find_class
from fvjax.objectives.objective import Objective
from fvjax.objectives.similarity import DotCosine
from fvjax.objectives.towards import Towards
from fvjax.sources import DirectionInfo, Setup


@dataclass(frozen=True)
class Joint:
    """The sum of one score for each unit: the job's direction, and channels of other layers.

    Attributes:
        layer: the other unit's layer, or several; null is the main-path layer before the job's.
        index: its channel, or the name of a class, or several.
        weight: the weight of its score, or several.
        exponent: of `DotCosine`, the score of each unit.
        floor: of `DotCosine`.
    """

    layer: str | Sequence[str | None] | None
    index: int | str | Sequence[int | str]
    weight: float | Sequence[float]
    exponent: float
    floor: float

    def resolve(self, setup: Setup, info: DirectionInfo) -> Objective:
        """Return the objective; the other units are read at all positions.

        Raises:
            ValueError: an unknown layer, channel or class; lists of different lengths.
        """
        score: Objective = DotCosine(exponent=self.exponent, floor=self.floor)
        total = score
        for layer, index, weight in self._units():
            direction = _unit(setup, info, layer, index)
            checks.finite("objective.weight", weight)
            total = total + weight * Towards(objective=score, direction=direction)
        return total

    def _units(self) -> list[tuple[Any, Any, Any]]:
        """Return layer, index and weight of each other unit; a single value holds for all."""
        keys = ("layer", "index", "weight")
        given = [v if isinstance(v := getattr(self, key), list) else [v] for key in keys]
        most = max(map(len, given))
        for key, values in zip(keys, given, strict=True):
            if len(values) not in (1, most):
                raise ValueError(
                    f"objective.{key} must have one value or {most}, got {len(values)}: layer, "
                    "index and weight name the same units"
                )
        return list(zip(*(v * most if len(v) == 1 else v for v in given), strict=True))


def _unit(setup: Setup, info: DirectionInfo, layer: str | None, index: int | str) -> Direction:
    model, own = setup.model, info.direction.layer
    name = model.previous(own) if layer is None else layer
    if name is None:
        raise ValueError(f"no layer comes before {own!r}: name objective.layer")
    model.require_layer(name, "objective.layer")
    channels = setup.channels(name)
    if isinstance(index, str) and model.layers[name] == (len(model.classes),):
        index = find_class(model.classes, index)
    checks.index(f"objective.index at layer {name!r}", index, channels)
    return Direction(vector=jnp.zeros(channels).at[index].set(1.0), layer=name)
