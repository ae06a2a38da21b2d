"""The space of a layer under layer normalization: what a transformer's next block reads."""

from dataclasses import dataclass
from functools import cache

from jaxtyping import Array

from fvjax.direction import AnyDirection, in_space
from fvjax.models.model import Model
from fvjax.models.transformed import layer_normalize, with_normalized_layer
from fvjax.sources.direction_info import DirectionInfo
from fvjax.sources.setup import Setup
from fvjax.spaces.choices import Space


@dataclass(frozen=True)
class LayerNorm(Space):
    """Activations under layer normalization, without the network's scale and offset."""

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Add the layer "<layer>@layernorm" and map the direction to it.

        A point is normalized as activations are. Of a vector or a covector the mean over channels
        is taken away, which the normalized activations do not have.
        """

        def mapped(v: Array) -> Array:
            return layer_normalize(v) if info.kind == "point" else v - v.mean(-1, keepdims=True)

        model = _with(setup.model, info.direction.layer)
        return model, in_space(info.direction, "layernorm", mapped)


_with = cache(with_normalized_layer)
