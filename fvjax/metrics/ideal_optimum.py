"""The optimum on paper: the content that an objective wants, if an image could have any content."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from fvjax.activations import layer_of, unit
from fvjax.direction import SPACE, Direction, with_position
from fvjax.models.model import Model
from fvjax.models.planted import earlier, mixed
from fvjax.models.transformed import WithAffineLayer
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass
from fvjax.types import Activations, Scalar

_STEPS = 600
_RATE = 0.05  # Adam's at first; it falls to 0 along a cosine
_POWERS = (1, 2, 4, 16)  # of the starts that the direction suggests: from broad to a single feature
_DRAWS = 12  # starts at random
_ALIKE = 1e-5  # scores this close, relatively, are equal


@dataclass
class Optimum:
    """The best content found; its score tells how far an image is from what its objective wants."""

    features: Float[Array, "features"]  # in [0, 1]
    decoys: Float[Array, "decoys"]  # in [0, 1]
    score: Scalar


def planted_activations(
    model: Model, content: Float[Array, "height width detectors"]
) -> Activations:
    """What a planted model, in any space, would record where the detectors have these values."""
    if isinstance(model.network, WithAffineLayer):
        inner = model.replace(  # type: ignore[attr-defined]
            weights=model.weights["network"], network=model.network.network
        )
        plain = planted_activations(inner, content)
        there = model.network.apply(model.weights, plain[model.network.layer])
        return {**plain, f"{model.network.layer}{SPACE}{model.network.name}": there}
    f, g = jnp.split(content, [model.weights["mixing"].shape[1]], -1)
    previous = earlier(model.weights, f, g)
    return {
        "features": f,
        "decoys": g,
        "previous": previous,
        "mixed": mixed(model.weights, g, previous),
    }


def activations_at_position(model: Model, content: Float[Array, "detectors"]) -> Activations:
    """The same of one position."""
    return planted_activations(model, content[None, None])


def mixing_of(model: Model) -> Float[Array, "detectors features"]:
    """The mixing of a planted model, in any space."""
    weights = model.weights
    while "mixing" not in weights:
        weights = weights["network"]
    mixing: Array = weights["mixing"]
    return mixing


def optimum(model: Model, objective: Objective, direction: Direction) -> Optimum:
    """The content in [0, 1] of highest score: the best of many projected ascents by Adam.

    A pure function of model, objective and direction, to be jitted and vmapped like `visualize`.
    The objective sees one position of a planted model, and no image. Where several contents have
    the highest score (cosine's have any length), detectors that do not matter are off.
    """

    anywhere = with_position(direction, None)  # the content stands for one position, whichever

    def score(content: Array) -> Scalar:
        return objective(activations_at_position(model, content), anywhere)

    def ascend(start: Array) -> tuple[Array, Scalar]:
        def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
            content, state = carry
            updates, state = optimizer.update(-jax.grad(score)(content), state)
            return (jnp.clip(content + updates, 0, 1), state), None

        (content, _), _ = lax.scan(step, (start, optimizer.init(start)), length=_STEPS)
        return content, score(content)

    # The scale of an objective must not decide, so Adam's eps is as small as in `optimizers`.
    optimizer = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS), eps=1e-16)
    contents, found = jax.vmap(ascend)(_starts(model, direction))
    most = jnp.max(found)
    best = jnp.argmax(found >= most - _ALIKE * jnp.abs(most))  # the first of the best
    features, decoys = jnp.split(contents[best], [mixing_of(model).shape[1]])
    return Optimum(features=features, decoys=decoys, score=found[best])


def _starts(model: Model, direction: Direction) -> Float[Array, "starts detectors"]:
    """Every detector as far on as the direction asks for it, to several powers; and at random.

    At random are the features alone: a decoy that no layer shows would stay where it starts.
    """
    detectors, features = mixing_of(model).shape

    def asked(one: Array) -> Scalar:
        activation = layer_of(activations_at_position(model, one), direction.layer)[0, 0]
        return jnp.sum(activation * unit(direction.vector))

    wanted = jnp.maximum(jax.vmap(asked)(jnp.eye(detectors)), 0)
    most = jnp.max(wanted)
    wanted = wanted / jnp.where(most > 0, most, 1.0)
    powers = jnp.asarray(_POWERS, jnp.float32)
    drawn = jax.random.uniform(jax.random.key(0), (_DRAWS, features))
    drawn = jnp.pad(drawn, ((0, 0), (0, detectors - features)))
    return jnp.concatenate([wanted[None] ** powers[:, None], drawn])
