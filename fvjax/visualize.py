"""The one loop: ascend an objective by gradient from a random image."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.metrics import alignment, asleep
from fvjax.models.model import Model
from fvjax.optimizers import OPTIMIZERS
from fvjax.recipe import Job
from fvjax.types import Flag, Image, Key, Scalar

REDIRECTED_STEPS = 16  # Lucid's: so long may a sleeping direction be woken (`layers.relu`)


@struct.dataclass
class Result:
    """What one job made."""

    image: Image  # untransformed, RGB in [0, 1]
    history: dict[str, Float[Array, "steps"]]  # measured on each step's transformed view
    first_score: Scalar  # of the first image, untransformed
    score: Scalar  # of the final image, untransformed
    finite: Bool[Array, ""]  # every step's score and gradient was a number
    dead: Bool[Array, ""]  # never woke: no gradient once unaided, or a dot product of 0 throughout


def score_of(
    model: Model, job: Job, image: Image, key: Key | None = None, redirect: Flag = False
) -> tuple[Scalar, dict[str, Array]]:
    """Score of an image, seen through the transform that `key` draws (None: as it is).

    Penalties on "image" see the image itself, before the transform. Also returns dot, cosine,
    orthogonal and norm at the objective's positions, and whether part of the direction is asleep.
    """

    def view(seen: Image) -> Image:
        return seen if key is None else job.recipe.transform(key, seen)

    activations = {**model(view(image), redirect=redirect), "image": image}
    direction = job.direction.resolve(model, view)
    objective = job.recipe.objective
    score = objective(activations, direction)
    here = objective.focus(activations, direction)
    return score, alignment(*here) | {"asleep": asleep(*here)}


def visualize(model: Model, job: Job) -> Result:
    """Make one image: a pure function of model and job, to be jitted and vmapped over jobs.

    The same key draws the same initial noise and the same transforms for every objective.
    """
    recipe = job.recipe
    start, steps = jax.random.split(job.key)
    optimizer = OPTIMIZERS[recipe.optimizer](recipe.learning_rate)
    params = recipe.parameterization.init(start)

    def ascend(carry: tuple[Any, Any, Array], step: Array) -> tuple[Any, dict[str, Array]]:
        params, state, sleeps = carry
        # Only a sleeping direction is redirected: through the sleeping channels on the way, the
        # gradient of one that is wide awake would point elsewhere.
        redirect = sleeps & (step < REDIRECTED_STEPS)

        def seen_score(params: Any) -> tuple[Scalar, dict[str, Array]]:
            # The gradient is the score's all the way down (`layers.relu` needs its sign); optax
            # minimises, so it is negated outside.
            image = recipe.parameterization.decode(params)
            return score_of(model, job, image, jax.random.fold_in(steps, step), redirect)

        (score, seen), gradient = jax.value_and_grad(seen_score, has_aux=True)(params)
        steepness = optax.tree.norm(gradient)
        sleeps = seen.pop("asleep") | (steepness == 0)
        history = {"score": score, **seen, "gradient_norm": steepness}
        updates, state = optimizer.update(jax.tree.map(jnp.negative, gradient), state, params)
        return (optax.apply_updates(params, updates), state, sleeps), history

    first, before = score_of(model, job, recipe.parameterization.decode(params))
    begin = (params, optimizer.init(params), before["asleep"])
    (params, _, _), history = lax.scan(ascend, begin, jnp.arange(recipe.steps))
    image = recipe.parameterization.decode(params)
    score, after = score_of(model, job, image)
    unaided = min(REDIRECTED_STEPS, recipe.steps - 1)  # the first step that nothing wakes
    stuck = jnp.all(history["gradient_norm"][unaided:] == 0)
    finite = jnp.all(jnp.isfinite(history["score"]) & jnp.isfinite(history["gradient_norm"]))
    return Result(
        image=image,
        history=history,
        first_score=first,
        score=score,
        finite=finite & jnp.isfinite(score) & jnp.all(jnp.isfinite(image)),
        dead=stuck | (jnp.all(history["dot"] == 0) & (after["dot"] == 0)),
    )
