"""The objectives: how well an image's activations match a direction.

Notation: a_p is the activation at position p, v the direction, d = v/|v|, mean_p the mean over the
direction's positions. cos(0, v) = 0, and every gradient is finite at zero activations.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.activations import norm, unit
from fvjax.direction import Direction, activations_at
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Number, Scalar


def dots(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Float[Array, "p"]:
    """Dot product of every position with the unit direction."""
    return jnp.sum(a * unit(v), -1)


def cosines(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Float[Array, "p"]:
    """Cosine of every position with the direction; 0 for a zero activation."""
    return jnp.sum(unit(a) * unit(v), -1)


def orthogonal(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Float[Array, "p c"]:
    """What is left of every position when its part along the direction is taken away."""
    return a - dots(a, v)[:, None] * unit(v)


def inversion_error(a: Float[Array, "p c"], v: Float[Array, "q c"]) -> Scalar:
    """mean_p |a - v|² / mean_p |v|²; mean_p |a|², undivided, where v is zero everywhere."""
    size = jnp.mean(jnp.sum(v**2, -1))
    return jnp.mean(jnp.sum((a - v) ** 2, -1)) / jnp.where(size > 0, size, 1.0)


@dataclass
class DotCosine(Objective):
    """mean_p (a·d) · max(floor, cos(a, v))^exponent.

    Exponent 0 is the dot product. The floor keeps two negatives from making a reward and the
    gradient from dying (Lucid's `_dot_cossim` has 0.1). Lucid does not divide v by its length: its
    value is |v| times this one.
    """

    exponent: Number = 2.0
    floor: Number = 0.1

    def __post_init__(self) -> None:
        """Refuse a floor at or below 0 (NaN gradients at exponent 0) and a negative exponent."""
        checks.positive("floor", self.floor)
        checks.not_negative("exponent", self.exponent)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The score of one image."""
        a, v = activations_at(activations, direction)
        sharpness = jnp.maximum(cosines(a, v), self.floor) ** self.exponent
        return jnp.mean(dots(a, v) * sharpness)


def Dot() -> DotCosine:
    """Return the dot product: `DotCosine` at exponent 0, where the floor has no effect."""
    return DotCosine(exponent=0.0)


@dataclass
class Cosine(Objective):
    """mean_p cos(a, v): the angle alone, however small the activation."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The score of one image."""
        return jnp.mean(cosines(*activations_at(activations, direction)))


_ATLAS_EPSILON = 1e-4  # lucid/recipes/activation_atlas/render.py


@dataclass
class LucidAtlas(Objective):
    """mean_p dot_p · max(floor, dot_p / (1e-4 + |a_p|))^exponent, dot_p the mean of a_c v_c.

    Lucid's activation atlas, for comparison, with v the direction times the inverse second moment.
    It is no cosine: 1/|v| is missing, the mean over channels divides by their number, and |a| is
    not in the space of the dot product. Where |v| < floor · channels the floor always holds.
    """

    exponent: Number = 2.0
    floor: Number = 0.1

    def __post_init__(self) -> None:
        """Refuse what `DotCosine` refuses."""
        checks.positive("floor", self.floor)
        checks.not_negative("exponent", self.exponent)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The score of one image."""
        a, v = activations_at(activations, direction)
        dot = jnp.mean(a * v, -1)
        sharpness = jnp.maximum(dot / (_ATLAS_EPSILON + norm(a)[:, 0]), self.floor) ** self.exponent
        return jnp.mean(dot * sharpness)


@dataclass
class Inversion(Objective):
    """-mean_p |a - v|² / mean_p |v|²: match the activation itself, length included.

    For directions with a length of their own; a neuron (a covector) has none. Where the target is
    silent (v = 0 everywhere) it is -mean_p |a|².
    """

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The score of one image."""
        return -inversion_error(*activations_at(activations, direction))


@dataclass
class Differential(Objective):
    """mean_p (a·d)/s_d - mean over channels of mean_p a_c/s_c: excite this, and not everything.

    s: standard deviations over reference images; a channel that never varies there is left out.
    """

    along: Number  # s_d, of the dot product
    stddev: Float[Array, "channels"]  # s_c

    def __post_init__(self) -> None:
        """Refuse a dot product that never varies."""
        checks.positive("standard deviation along the direction", self.along)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The score of one image."""
        a, v = activations_at(activations, direction)
        alive = self.stddev > 0
        each = jnp.where(alive, jnp.mean(a, 0) / jnp.where(alive, self.stddev, 1.0), 0.0)
        return jnp.mean(dots(a, v)) / self.along - jnp.sum(each) / jnp.maximum(jnp.sum(alive), 1)


@dataclass
class OrthogonalNorm(Objective):
    """mean_p |a - (a·d)d|, or of its square: a penalty on what is not along the direction."""

    squared: bool = static(default=False)

    def __post_init__(self) -> None:
        """Refuse a text, which would count as true."""
        checks.boolean("squared", self.squared)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        rest = orthogonal(*activations_at(activations, direction))
        return jnp.mean(jnp.sum(rest**2, -1)) if self.squared else jnp.mean(norm(rest))
