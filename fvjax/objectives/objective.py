"""The contract of an objective, and how objectives combine: `+ - *` and `sum`.

A job also takes a function `f(activations, direction)` or an instance of a plain class with such a
`__call__`: `as_objective` makes an objective of it.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.direction import Direction
from fvjax.pytree import dataclass
from fvjax.registration import Function, as_pytree
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
        return Sum(terms=(as_objective(self), as_objective(other)))

    def __radd__(self, other: int) -> "Objective":
        """Return the objective itself for 0, the start value of Python's `sum`."""
        if other != 0:
            raise ValueError(f"only an objective can be added to an objective, got {other!r}")
        return self

    def __sub__(self, other: "Objective") -> "Sum":
        """Return the difference of two objectives; the subtracted one can be annealed."""
        return self + Subtracted(objective=as_objective(other))

    def __rsub__(self, other: Any) -> "Objective":
        """Refuse a number from which an objective is subtracted."""
        raise ValueError(
            f"an objective can be subtracted from an objective only, not from {other!r}"
        )

    def __mul__(self, other: "Objective | Number") -> "Objective":
        """Return the product with a number or with another objective."""
        if isinstance(other, Objective):
            return Product(terms=(as_objective(self), as_objective(other)))
        return Scaled(weight=other, objective=as_objective(self))

    __rmul__ = __mul__

    def __neg__(self) -> "Scaled":
        """Return the negated objective."""
        return Scaled(weight=-1.0, objective=as_objective(self))


def parts(objective: Objective) -> Iterator[Objective]:
    """Yield the objective and every objective inside it, outermost first."""
    yield objective
    for value in _fields(objective):
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Objective):
                yield from parts(inner)


def held_directions(objective: Objective) -> tuple[Direction, ...]:
    """Return the directions that an objective and its parts have of their own, as fields."""
    values = [value for part in parts(objective) for value in _fields(part)]
    held = [inner for v in values for inner in (v if isinstance(v, tuple) else (v,))]
    return tuple(one for one in held if isinstance(one, Direction))


def _fields(objective: Any) -> tuple[Any, ...]:
    """Return the values of an objective's fields, and of the user's object in a `UserObjective`."""
    if not dataclasses.is_dataclass(objective):
        return tuple(getattr(objective, "__dict__", {}).values())
    values = tuple(getattr(objective, field.name) for field in dataclasses.fields(objective))
    if isinstance(objective, UserObjective):
        called = objective.function
        return tuple(called.leaves.values()) if isinstance(called, Function) else _fields(called)
    return values


def as_objective(value: Any) -> "Objective":
    """Return an objective, or make one of a function or of an instance of a plain class.

    Raises:
        ValueError: anything that cannot be called with activations and a direction.
    """
    if isinstance(value, Objective):
        registered: Objective = as_pytree(value)  # a subclass without `fvjax.pytree.dataclass`
        return registered
    if not callable(value) or isinstance(value, type):
        raise ValueError(
            "only an objective can be added to an objective or be a job's: a function "
            "f(activations, direction), or an instance of a class whose __call__ takes these; "
            f"got {value!r}"
        )
    return UserObjective(function=as_pytree(value))


@dataclass
class UserObjective(Objective):
    """A user's function, or an instance of a user's class, as an objective."""

    function: Any  # a pytree that is called with activations and a direction

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image.

        Raises:
            ValueError: the function returns anything but one number.
        """
        score = jnp.asarray(self.function(activations, direction))
        if score.shape != ():
            raise ValueError(f"an objective must return one number, got the shape {score.shape}")
        return score


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


@dataclass
class Subtracted(Objective):
    """-share · objective: what `score - penalty` subtracts.

    The ascent sets `share` while it anneals penalties (`Recipe.anneal_steps`); before, it is 1.
    """

    objective: Objective
    share: Number = 1.0

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Negate the score."""
        return -self.share * self.objective(activations, direction)

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Negate the score of all images."""
        return -self.share * self.objective.score_batch(activations, direction)
