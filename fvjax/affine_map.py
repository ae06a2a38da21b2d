"""Linear coordinates of a layer's activations, and how directions move into them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, overload

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from fvjax.direction import AnyDirection, Direction, FromImage, Interpolation

# How a direction travels through a linear transform of the space. A point (an activation, a
# centroid) moves with the origin, a vector (a difference, a factor) does not, a covector (a neuron,
# a logit) reads the space, has no length of its own and transforms inversely.
Kind = Literal["point", "vector", "covector"]


@dataclass(frozen=True, eq=False)
class AffineMap:
    """The coordinates (a - mean) @ matrix, on the host."""

    mean: Float[np.ndarray, "channels"]
    matrix: Float[np.ndarray, "channels features"]

    @cached_property
    def inverse(self) -> Float[np.ndarray, "features channels"]:
        """The matrix's inverse, or pseudo-inverse."""
        return np.linalg.pinv(self.matrix)

    def __call__(
        self, vector: Float[np.ndarray, "*space channels"], kind: Kind
    ) -> Float[np.ndarray, "*space features"]:
        """A direction in this affine_map, by its kind.

        A point p becomes (p - mean) A, a vector v A, and a covector w pinv(A)^T, so that it reads
        the same as before: (a - mean) A · w' = (a - mean) · w, wherever A has an inverse.
        """
        vector = np.asarray(vector, np.float64)
        if kind == "covector":
            found: np.ndarray = vector @ self.inverse.T
        else:
            found = (vector - self.mean if kind == "point" else vector) @ self.matrix
        return found

    @overload
    def map_direction(self, direction: Direction, kind: Kind, name: str) -> Direction: ...

    @overload
    def map_direction(self, direction: AnyDirection, kind: Kind, name: str) -> AnyDirection: ...

    def map_direction(self, direction: AnyDirection, kind: Kind, name: str) -> AnyDirection:
        """The direction at layer "<layer>/<name>"; it remembers where it came from."""
        layer = f"{direction.layer}@{name}"
        if isinstance(direction, Interpolation):
            ends = (
                self.map_direction(direction.first, kind, name),
                self.map_direction(direction.second, kind, name),
            )
            return Interpolation(first=ends[0], second=ends[1])
        if isinstance(direction, FromImage):  # reads its target in that space
            return FromImage(image=direction.image, layer=layer)
        vector = jnp.asarray(self(np.asarray(direction.vector), kind), jnp.float32)
        return Direction(vector=vector, layer=layer, origin=direction)
