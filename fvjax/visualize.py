"""The one loop: ascend an objective by gradient from a random image."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.metrics import alignment
from fvjax.models.model import Model
from fvjax.optimizers import OPTIMIZERS
from fvjax.recipe import Job
from fvjax.types import Flag, Image, Key, Scalar

REDIRECTED_STEPS = 16  # Lucid's: while a unit sleeps, gradient is let through (`layers.relu`)


@struct.dataclass
class Result:
    """What one job made."""

    image: Image  # untransformed, RGB in [0, 1]
    history: dict[str, Float[Array, "steps"]]  # measured on each step's transformed view
    first_score: Scalar  # of the first image, untransformed
    score: Scalar  # of the final image, untransformed
    finite: Bool[Array, ""]  # every step's score and gradient was a number
    dead: Bool[Array, ""]  # the direction never woke: dot was 0 at every step and is at the end


def score_of(
    model: Model, job: Job, image: Image, key: Key | None = None, redirect: Flag = False
) -> tuple[Scalar, dict[str, Scalar]]:
    """Score of an image, seen through the transform that `key` draws (None: as it is).

    Penalties on "image" see the image itself, before the transform. Also returns dot, cosine,
    orthogonal and norm at the objective's positions.
    """

    def view(seen: Image) -> Image:
        return seen if key is None else job.recipe.transform(key, seen)

    activations = {**model(view(image), redirect=redirect), "image": image}
    direction = job.direction.resolve(model, view)
    objective = job.recipe.objective
    score = objective(activations, direction)
    return score, alignment(*objective.focus(activations, direction))


def visualize(model: Model, job: Job) -> Result:
    """Make one image: a pure function of model and job, to be jitted and vmapped over jobs.

    The same key draws the same initial noise and the same transforms for every objective.
    """
    recipe = job.recipe
    start, steps = jax.random.split(job.key)
    optimizer = OPTIMIZERS[recipe.optimizer](recipe.learning_rate)
    params = recipe.parameterization.init(start)

    def ascend(carry: tuple[Any, Any], step: Array) -> tuple[tuple[Any, Any], dict[str, Array]]:
        params, state = carry

        def seen_score(params: Any) -> tuple[Scalar, dict[str, Scalar]]:
            image = recipe.parameterization.decode(params)
            # The gradient is the score's all the way down (`layers.relu` needs its sign); optax
            # minimises, so it is negated outside.
            return score_of(
                model, job, image, jax.random.fold_in(steps, step), step < REDIRECTED_STEPS
            )

        (score, seen), gradient = jax.value_and_grad(seen_score, has_aux=True)(params)
        history = {"score": score, **seen, "gradient_norm": optax.tree.norm(gradient)}
        updates, state = optimizer.update(jax.tree.map(jnp.negative, gradient), state, params)
        return (optax.apply_updates(params, updates), state), history

    (last, _), history = lax.scan(
        ascend, (params, optimizer.init(params)), jnp.arange(recipe.steps)
    )
    images = jax.vmap(recipe.parameterization.decode)(jax.tree.map(_stack, params, last))
    # One copy of the network serves both images: lax.map compiles its body once.
    (scores, seen) = lax.map(partial(score_of, model, job), images)
    finite = jnp.all(jnp.isfinite(history["score"]) & jnp.isfinite(history["gradient_norm"]))
    return Result(
        image=images[-1],
        history=history,
        first_score=scores[0],
        score=scores[-1],
        finite=finite & jnp.isfinite(scores[-1]) & jnp.all(jnp.isfinite(images[-1])),
        dead=jnp.all(history["dot"] == 0) & (seen["dot"][-1] == 0),
    )


def _stack(first: Array, last: Array) -> Array:
    return jnp.stack([first, last])
