"""The objectives: similarity of an image's activations to a direction.

Notation: a_p is the activation at position p, v the direction, d = v/|v|, mean_p the mean over the
direction's positions. cos(0, v) = 0, and every gradient is finite at zero activations.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.activations import norm, unit
from fvjax.direction import Direction, activations_at, layer_at
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Number, Scalar


def dots(a: Float[Array, "*places c"], v: Float[Array, "... c"]) -> Float[Array, "*places"]:
    """Return the dot product of every position with the unit direction."""
    return jnp.sum(a * unit(v), -1)


def cosines(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Float[Array, "p"]:
    """Return the cosine of every position with the direction; 0 for a zero activation."""
    return jnp.sum(unit(a) * unit(v), -1)


def orthogonal(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Float[Array, "p c"]:
    """Return the component of every position that is orthogonal to the direction."""
    return a - dots(a, v)[:, None] * unit(v)


def inversion_error(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Scalar:
    """Return mean_p |a - v|² / mean_p |v|²; if v is zero everywhere, mean_p |a|²."""
    squared = jnp.mean(jnp.sum(v**2, -1))
    return jnp.mean(jnp.sum((a - v) ** 2, -1)) / jnp.where(squared > 0, squared, 1.0)


@dataclass
class DotCosine(Objective):
    """mean_p (a·d) · max(floor, cos(a, v))^exponent.

    Exponent 0 is the dot product. Without the floor, two negative factors would be a reward, and
    the gradient would vanish at cosine 0. Lucid's `_dot_cossim` has the floor 0.1, and its value
    is |v| times the value here, since Lucid does not normalise v.
    """

    exponent: Number = 2.0
    floor: Number = 0.1

    def __post_init__(self) -> None:
        """Refuse a floor at or below 0 (NaN gradients at exponent 0) and a negative exponent."""
        checks.positive("floor", self.floor)
        checks.not_negative("exponent", self.exponent)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        a, v = activations_at(activations, direction)
        sharpness = jnp.maximum(cosines(a, v), self.floor) ** self.exponent
        return jnp.mean(dots(a, v) * sharpness)


def Dot() -> DotCosine:
    """Return the dot product: `DotCosine` at exponent 0, at which the floor has no effect."""
    return DotCosine(exponent=0.0)


@dataclass
class Cosine(Objective):
    """mean_p cos(a, v): the angle alone; the length of the activation has no effect."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        return jnp.mean(cosines(*activations_at(activations, direction)))


_ATLAS_EPSILON = 1e-4  # lucid/recipes/activation_atlas/render.py


@dataclass
class LucidAtlas(Objective):
    """mean_p dot_p · max(floor, dot_p / (1e-4 + |a_p|))^exponent, dot_p the mean of a_c v_c.

    The objective of Lucid's activation atlas, for comparison; v is the direction times the inverse
    second moment. The base of the power is not a cosine: 1/|v| is missing, the mean divides by the
    number of channels, and |a| belongs to another space than the dot product. If |v| < floor ·
    channels, the floor always applies.
    """

    exponent: Number = 2.0
    floor: Number = 0.1

    def __post_init__(self) -> None:
        """Refuse a floor at or below 0 and a negative exponent."""
        checks.positive("floor", self.floor)
        checks.not_negative("exponent", self.exponent)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        a, v = activations_at(activations, direction)
        dot = jnp.mean(a * v, -1)
        sharpness = jnp.maximum(dot / (_ATLAS_EPSILON + norm(a)[:, 0]), self.floor) ** self.exponent
        return jnp.mean(dot * sharpness)


@dataclass
class Inversion(Objective):
    """-mean_p |a - v|² / mean_p |v|²: match the activation itself, length included.

    For points and vectors; a covector (a neuron) has no length to match. If v is zero everywhere,
    the score is -mean_p |a|².
    """

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        return -inversion_error(*activations_at(activations, direction))


@dataclass
class DeepDream(Objective):
    """mean a² over the direction's layer and positions: whatever the layer sees, more of it.

    Mordvintsev et al. 2015, from a photograph (`start` of a parameterization). The direction's
    vector has no effect.
    """

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        return jnp.mean(layer_at(activations, direction.layer, direction) ** 2)


@dataclass
class OrthogonalNorm(Objective):
    """mean_p |a - (a·d)d|, or its square: a penalty on the component orthogonal to v."""

    squared: bool = static(default=False)

    def __post_init__(self) -> None:
        """Refuse a string, which would count as true."""
        checks.boolean("squared", self.squared)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        component = orthogonal(*activations_at(activations, direction))
        return jnp.mean(jnp.sum(component**2, -1)) if self.squared else jnp.mean(norm(component))
