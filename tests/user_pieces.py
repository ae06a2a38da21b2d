"""Pieces of a user, outside both packages: functions and plain dataclasses."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import fvjax
from fvjax.sources import DirectionInfo, Setup


def peak(activations: Any, direction: fvjax.Direction, sharpness: float = 2.0) -> Any:
    """An objective as a function."""
    a, v = fvjax.activations_at(activations, direction)
    return jax.nn.logsumexp(sharpness * jnp.sum(a * v, -1)) / sharpness


def brightness(activations: Any, direction: fvjax.Direction) -> Any:
    """A penalty or a metric as a function."""
    return activations["image"].mean()


def dimmed(key: Any, image: Any, amount: float) -> Any:
    """A transform as a function."""
    return image * (1 - amount)


def first_two(setup: Setup, weight: float) -> DirectionInfo:
    """A source as a function."""
    vector = jnp.zeros(setup.channels()).at[0].set(1.0).at[1].set(weight)
    direction = fvjax.Direction(vector=vector, layer=setup.layer)
    return DirectionInfo(direction, f"{setup.layer}:mine", "covector")


@dataclasses.dataclass
class Flat:
    """A parameterization as a plain dataclass: one colour for all pixels."""

    image_size: tuple[int, int]
    spread: float = 0.1

    def init(self, key: Any) -> Any:
        return self.spread * jax.random.normal(key, (1, 1, 3))

    def decode(self, params: Any) -> Any:
        return jnp.broadcast_to(jax.nn.sigmoid(params), (*self.image_size, 3))


def network(width: int) -> fvjax.Model:
    """A model as a function."""

    def apply(weights: Any, image: Any, record: Any) -> None:
        record("logits", record("mine", jnp.tile(image, (1, 1, width))).mean((0, 1)))

    return fvjax.Model.from_function(apply, {}, image_size=16, default_layer="mine")


def not_a_score(activations: Any, direction: fvjax.Direction) -> Any:
    """An objective that returns one number for each position."""
    return activations[direction.layer]


make: Callable[[], str] = lambda: "text"  # noqa: E731
