"""A direction less another one."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from fvjax.direction import Direction
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.interpolate import resolve_pair
from fvjax.sources.reference import one_vector
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class Contrast:
    """v - w: what sets the first direction apart from the second.

    Attributes:
        first: the direction v.
        second: the direction w, of the same kind and layer; None is the mean of the reference
            images. A class's centroid less this mean points as it does less the mean of the other
            images, (1 - n/N)(v - mean of the others), for n of N images in the class.
    """

    first: DirectionSource | None = None
    second: DirectionSource | None = None

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the difference: of two points a vector, else of the kind of both.

        Raises:
            ValueError: no first direction; directions of different kinds or layers, or that are
                equal; no reference images, where the second is their mean.
        """
        if self.first is None:
            raise ValueError(
                "direction=contrast needs direction.first, such as "
                "{_target_:fvjax.sources.Channel,index:3}"
            )
        if self.second is None:
            start = self.first.resolve(setup)
            if start.kind != "point":
                raise ValueError(
                    f"direction.second=null is the reference images' mean, a point, and "
                    f"{start.label} is a {start.kind}: name direction.second"
                )
            reference = setup.require_reference("direction=contrast")
            other, name = reference.statistics(start.direction.layer).mean, "the mean"
        else:
            start, end = resolve_pair(self.first, self.second, setup)
            other, name = one_vector(end), end.label
        vector = np.asarray(one_vector(start), np.float64) - other
        if not vector.any():
            raise ValueError(f"{start.label} and {name} are equal: nothing is left")
        direction = Direction(vector=jnp.asarray(vector, jnp.float32), layer=start.direction.layer)
        kind = "vector" if start.kind == "point" else start.kind
        label = f"{start.label} less {name}"
        return DirectionInfo(direction, label, kind, concept=start.concept)
