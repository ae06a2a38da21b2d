"""The space of a layer under layer normalization: what a transformer's next block reads."""

from dataclasses import dataclass, replace
from functools import cache

from fvjax.affine_map import Kind
from fvjax.direction import SPACE, AnyDirection, Direction, FromImage, Interpolation
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
        return _with(setup.model, info.direction.layer), _mapped(info.direction, info.kind)


def _mapped(direction: AnyDirection, kind: Kind) -> AnyDirection:
    if isinstance(direction, Interpolation):
        ends = _normalized(direction.first, kind), _normalized(direction.second, kind)
        return Interpolation(first=ends[0], second=ends[1])
    if isinstance(direction, FromImage):  # its activations are normalized by the model
        return replace(direction, layer=f"{direction.layer}{SPACE}layernorm")
    return _normalized(direction, kind)


def _normalized(direction: Direction, kind: Kind) -> Direction:
    v, layer = direction.vector, f"{direction.layer}{SPACE}layernorm"
    vector = layer_normalize(v) if kind == "point" else v - v.mean(-1, keepdims=True)
    return replace(direction, vector=vector, layer=layer, origin=direction)


_with = cache(with_normalized_layer)
