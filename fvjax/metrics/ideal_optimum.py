"""The ideal optimum of an objective: the best content, if an image could have any content."""

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
from fvjax.models.transformed import WithLayer
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass
from fvjax.types import Activations, Scalar, Scalars

_STEPS = 600
_RATE = 0.05  # Adam's initial rate, with cosine decay to 0
_POWERS = (1, 2, 4, 16)  # sharpness of the direction's starts: from many features to one
_DRAWS = 12  # random starts
_TOLERANCE = 1e-5  # relative difference of equal scores


@dataclass
class Optimum:
    """The best content of an objective, and its score: an upper bound for images."""

    features: Float[Array, "*batch features"]  # in [0, 1]
    decoys: Float[Array, "*batch decoys"]  # in [0, 1]
    score: Scalars


def planted_activations(
    model: Model, content: Float[Array, "height width detectors"]
) -> Activations:
    """Return the activations of a planted model, in any space, for given detector values."""
    if isinstance(model.network, WithLayer):
        inner = model.replace(  # type: ignore[attr-defined]
            weights=model.network.original(model.weights), network=model.network.network
        )
        original = planted_activations(inner, content)
        mapped = model.network.apply(model.weights, original[model.network.layer])
        return {**original, f"{model.network.layer}{SPACE}{model.network.name}": mapped}
    f, g = jnp.split(content, [model.weights["mixing"].shape[1]], -1)
    previous = earlier(model.weights, f, g)
    return {
        "features": f,
        "decoys": g,
        "previous": previous,
        "mixed": mixed(model.weights, g, previous),
    }


def activations_at_position(model: Model, content: Float[Array, "detectors"]) -> Activations:
    """Return the activations for the detector values of a single position."""
    return planted_activations(model, content[None, None])


def mixing_of(model: Model) -> Float[Array, "detectors features"]:
    """Return the mixing matrix of a planted model, in any space."""
    weights = model.weights
    while "mixing" not in weights:
        weights = weights["network"]
    mixing: Array = weights["mixing"]
    return mixing


def optimum(model: Model, objective: Objective, direction: Direction) -> Optimum:
    """Return the content in [0, 1] of highest score: the best of many projected Adam ascents.

    A pure function of model, objective and direction, to be jitted and vmapped like `visualize`.
    The objective receives one position of a planted model, and no image. If several contents share
    the highest score (cosine ignores length), the first start decides.
    """
    anywhere = with_position(direction, None)  # the content has one position

    def score(content: Array) -> Scalar:
        return objective(activations_at_position(model, content), anywhere)

    def ascend(start: Array) -> tuple[Array, Scalar]:
        def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
            content, state = carry
            updates, state = optimizer.update(-jax.grad(score)(content), state)
            return (jnp.clip(content + updates, 0, 1), state), None

        (content, _), _ = lax.scan(step, (start, optimizer.init(start)), length=_STEPS)
        return content, score(content)

    # The scale of the objective must have no effect: Adam's eps is that of `optimizers`.
    optimizer = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS), eps=1e-16)
    contents, scores = jax.vmap(ascend)(_starts(model, direction))
    most = jnp.max(scores)
    best = jnp.argmax(scores >= most - _TOLERANCE * jnp.abs(most))  # the first of the best
    features, decoys = jnp.split(contents[best], [mixing_of(model).shape[1]])
    return Optimum(features=features, decoys=decoys, score=scores[best])


def _starts(model: Model, direction: Direction) -> Float[Array, "starts detectors"]:
    """Return starts: detectors' positive dot products to several powers, and random features.

    Random starts leave decoys at 0: a decoy without gradient would keep its start value.
    """
    detectors, features = mixing_of(model).shape

    def projection(detectors: Array) -> Scalar:
        activation = layer_of(activations_at_position(model, detectors), direction.layer)[0, 0]
        return jnp.sum(activation * unit(direction.vector))

    weights = jnp.maximum(jax.vmap(projection)(jnp.eye(detectors)), 0)
    most = jnp.max(weights)
    weights = weights / jnp.where(most > 0, most, 1.0)
    powers = jnp.asarray(_POWERS, jnp.float32)
    drawn = jax.random.uniform(jax.random.key(0), (_DRAWS, features))
    drawn = jnp.pad(drawn, ((0, 0), (0, detectors - features)))
    return jnp.concatenate([weights[None] ** powers[:, None], drawn])
