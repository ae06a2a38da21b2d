"""The space of one head of a network: its logits, without what they all share."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from fvjax.affine_map import AffineMap
from fvjax.direction import AnyDirection, Direction
from fvjax.models.model import Model
from fvjax.models.readout import head_of
from fvjax.sources.direction_info import DirectionInfo
from fvjax.sources.setup import Setup
from fvjax.spaces.choices import Space, with_map


@dataclass(frozen=True)
class Head(Space):
    """The logits of the direction's head, less their mean: z (I - 11ᵀ/n) inside the head, else 0.

    A constant added to all logits of a head changes nothing that the network says. It changes
    cosines, norms and orthogonal components of the logits, but none in this space.
    """

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Add the layer "<layer>@head" and map the direction to it.

        Raises:
            ValueError: a layer that is no readout, a direction that reads several heads or that is
                no vector of logits.
        """
        direction = info.direction
        if not isinstance(direction, Direction) or direction.vector.ndim > 1:
            raise ValueError("space=head needs a direction of logits, such as direction=logit")
        head = head_of(setup.model, direction.layer, np.asarray(direction.vector))
        affine_map = _centred(head.tobytes())
        return with_map(setup.model, direction.layer, affine_map, "head"), affine_map.map_direction(
            direction, info.kind, "head"
        )


@cache
def _centred(head: bytes) -> AffineMap:
    """Return the map for a mask of the head's channels; the same object each time."""
    inside = np.frombuffer(head, bool).astype(np.float64)
    matrix = np.diag(inside) - np.outer(inside, inside) / inside.sum()
    return AffineMap(np.zeros(len(inside)), matrix)
