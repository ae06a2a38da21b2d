"""The contract of an objective, and how objectives combine: `+ - *` and `sum`."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction
from fvjax.pytree import dataclass
from fvjax.types import Activations, Number, Scalar


class Objective:
    """A pure function `objective(activations, direction) -> scalar`, always maximised.

    A penalty is a positive quantity that the caller subtracts: `score - 0.1 * penalty`.
    """

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        raise NotImplementedError

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the mean score of several images; all leaves have a leading axis."""
        return jnp.mean(jax.vmap(self)(dict(activations), direction))

    def __add__(self, other: "Objective") -> "Sum":
        """Return the sum of two objectives."""
        return Sum(terms=(self, _objective(other)))

    def __radd__(self, other: int) -> "Objective":
        """Return the objective itself for 0, the start value of Python's `sum`."""
        if other != 0:
            raise ValueError(f"only an objective can be added to an objective, got {other!r}")
        return self

    def __sub__(self, other: "Objective") -> "Sum":
        """Return the difference of two objectives."""
        return Sum(terms=(self, Scaled(weight=-1.0, objective=_objective(other))))

    def __mul__(self, other: "Objective | Number") -> "Objective":
        """Return the product with a number or with another objective."""
        if isinstance(other, Objective):
            return Product(terms=(self, other))
        return Scaled(weight=other, objective=self)

    __rmul__ = __mul__

    def __neg__(self) -> "Scaled":
        """Return the negated objective."""
        return Scaled(weight=-1.0, objective=self)


def parts(objective: Objective) -> Iterator[Objective]:
    """Yield the objective and every objective inside it, outermost first."""
    yield objective
    for field in dataclasses.fields(objective):  # type: ignore[arg-type]
        value = getattr(objective, field.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Objective):
                yield from parts(inner)


def _objective(value: Any) -> Objective:
    if not isinstance(value, Objective):
        raise ValueError(f"only an objective can be added to an objective, got {value!r}")
    return value


@dataclass
class Sum(Objective):
    """The sum of its terms."""

    terms: tuple[Objective, ...]

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Add the terms."""
        return sum((t(activations, direction) for t in self.terms), jnp.zeros(()))

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Add the terms' scores of all images."""
        return sum((t.score_batch(activations, direction) for t in self.terms), jnp.zeros(()))


@dataclass
class Product(Objective):
    """The product of its terms."""

    terms: tuple[Objective, ...]

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Multiply the terms."""
        return math.prod((t(activations, direction) for t in self.terms), start=jnp.ones(()))

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Multiply the terms' scores of all images."""
        return math.prod(
            (t.score_batch(activations, direction) for t in self.terms), start=jnp.ones(())
        )


@dataclass
class Scaled(Objective):
    """An objective times a weight."""

    weight: Number
    objective: Objective

    def __post_init__(self) -> None:
        """Refuse a weight that is not a finite number."""
        checks.finite("weight", self.weight)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Scale the score."""
        return self.weight * self.objective(activations, direction)

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Scale the score of all images."""
        return self.weight * self.objective.score_batch(activations, direction)
