"""Affine maps of a layer's activations, and of directions by their kind."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, overload

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import linalg
from fvjax.direction import AnyDirection, Direction, in_space

# How a direction is mapped. A point (an activation, a centroid) is mapped with the origin, a vector
# (a difference, a factor) without. A covector (a neuron, a logit) is a linear functional: it is
# mapped by the inverse transpose.
Kind = Literal["point", "vector", "covector"]


@dataclass(frozen=True, eq=False)
class AffineMap:
    """The affine map a -> (a - mean) @ matrix, on the host."""

    mean: Float[np.ndarray, "channels"]
    matrix: Float[np.ndarray, "channels features"]

    @cached_property
    def inverse(self) -> Float[np.ndarray, "features channels"]:
        """The pseudo-inverse of the matrix."""
        return linalg.pinv(self.matrix)

    def __call__(
        self, vector: Float[np.ndarray, "*space channels"], kind: Kind
    ) -> Float[np.ndarray, "*space features"]:
        """Map a direction by its kind.

        A point p becomes (p - mean) A, a vector v becomes v A, and a covector w becomes
        w' = w pinv(A)^T. If A has an inverse, (a - mean) A · w' = (a - mean) · w.
        """
        vector = np.asarray(vector, np.float64)
        if kind == "covector":
            mapped: np.ndarray = vector @ self.inverse.T
        else:
            mapped = (vector - self.mean if kind == "point" else vector) @ self.matrix
        return mapped

    @overload
    def map_direction(self, direction: Direction, kind: Kind, name: str) -> Direction: ...

    @overload
    def map_direction(self, direction: AnyDirection, kind: Kind, name: str) -> AnyDirection: ...

    def map_direction(self, direction: AnyDirection, kind: Kind, name: str) -> AnyDirection:
        """Return the mapped direction at layer "<layer>@<name>"; `origin` is the original."""

        def mapped(vector: Array) -> Array:
            return jnp.asarray(self(np.asarray(vector), kind), jnp.float32)

        return in_space(direction, name, mapped)
