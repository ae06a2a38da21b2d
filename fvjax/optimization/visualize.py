"""Visualization: gradient ascent of an objective from a random image."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from fvjax.models.model import Model, with_model_precision
from fvjax.optimization.gradient_balance import balanced
from fvjax.optimization.optimizers import OPTIMIZERS
from fvjax.optimization.recipe import Job, Recipe
from fvjax.optimization.score import score_of
from fvjax.pytree import dataclass
from fvjax.types import Image, Images, Key, Scalar, Scalars

MAX_REVIVE_STEPS = 16  # Lucid's; steps during which ReLUs may revive a dead direction
Metrics = dict[str, Array]


@dataclass
class Result:
    """The image of one job, and the metrics of its optimization."""

    image: Images  # untransformed, RGB in [0, 1]; several have a leading axis
    history: dict[str, Float[Array, "*batch steps"]]  # measured on each step's transformed view
    initial_score: Scalars  # of the first image, untransformed
    final_score: Scalars  # of the final image, untransformed
    finite: Bool[Array, "*batch"]  # every step's score and gradient was a number
    dead: Bool[Array, "*batch"]  # no gradient without revival, or dot 0 for all directions read


@dataclass
class AscentState:
    """The loop's state between two steps."""

    params: Any
    optimizer: Any  # the optimizer's state
    dead: Array  # whether the direction was dead at the previous step
    revived: Array  # whether the previous step's gradient was redirected


@with_model_precision
def visualize(model: Model, job: Job) -> Result:
    """Return the image of a job: a pure function, to be jitted and vmapped over jobs.

    The same key draws the same initial noise and the same transforms for every objective. If a job
    has several images, each has its own noise and transforms.
    """
    job = balanced(model, job)
    recipe = job.recipe
    start, draws = jax.random.split(job.key)
    optimizer = optax.with_extra_args_support(OPTIMIZERS[recipe.optimizer](recipe.learning_rate))
    params, false = recipe.init(start), jnp.array(False)
    state = AscentState(params=params, optimizer=optimizer.init(params), dead=false, revived=false)
    # Under vmap, a scan is traced again until it knows which values differ between jobs. All
    # values do: tying the constants to the key (x & 0 is 0) avoids the repetition.
    never = jnp.any(jax.random.key_data(start) & 0 != 0)
    state = jax.tree.map(lambda x: jnp.where(never, jnp.zeros_like(x), x), state)
    step = partial(_step, model, job, optimizer, draws)
    state, metrics = lax.scan(step, state, jnp.arange(-1, recipe.steps + 1))
    return _result(recipe, recipe.decode(state.params), metrics)


def _step(
    model: Model,
    job: Job,
    optimizer: optax.GradientTransformationExtraArgs,
    draws: Key,
    state: AscentState,
    step: Int[Array, ""],
) -> tuple[AscentState, Metrics]:
    """Return the state after a step, and the metrics of the image before it.

    At step -1 and after the last step, the untransformed image is evaluated and the state stays.
    The same loop does both, because compiling the network again would take longer.
    """
    recipe = job.recipe
    evaluate_only = (step < 0) | (step == recipe.steps)
    # Redirect only while the direction is dead: dead channels would bend other gradients.
    revive = state.dead & (step < MAX_REVIVE_STEPS)
    # Redirected gradients are about 100 times larger. Without a reset, the optimizer's moments
    # would stall the ascent for hundreds of steps.
    reset = state.revived & ~revive
    fresh = optimizer.init(state.params)
    optimizer_state = jax.tree.map(partial(jnp.where, reset), fresh, state.optimizer)

    def view(image: Image, number: int | Array) -> Image:
        key = jax.random.fold_in(draws, step)
        if recipe.images_per_job > 1:
            key = jax.random.fold_in(key, number)
        with jax.named_scope("transform"):
            return jnp.where(evaluate_only, image, recipe.transform(key, image))

    def score(params: Any) -> tuple[Scalar, Metrics]:
        with jax.named_scope("parameterization"):
            image = recipe.decode(params)
        return score_of(model, job, image, view, revive)

    (value, metrics), gradient = jax.value_and_grad(score, has_aux=True)(state.params)
    gradient_norm = optax.tree.norm(gradient)
    dead = metrics.pop("is_dead") | ((gradient_norm == 0) & ~evaluate_only)
    unchanged = state.params, optimizer_state
    with jax.named_scope("optimizer"):
        ascended = _ascend(optimizer, score, value, gradient, *unchanged)
    params, optimizer_state = jax.tree.map(partial(jnp.where, evaluate_only), unchanged, ascended)
    state = AscentState(params=params, optimizer=optimizer_state, dead=dead, revived=revive)
    unaided = (gradient_norm != 0) & ~revive & ~evaluate_only
    return state, {
        **{"score": value, **metrics, "gradient_norm": gradient_norm},
        "has_gradient": unaided,
    }


def _ascend(
    optimizer: optax.GradientTransformationExtraArgs,
    score: Callable[[Any], tuple[Scalar, Metrics]],
    value: Scalar,
    gradient: Any,
    params: Any,
    optimizer_state: Any,
) -> tuple[Any, Any]:
    """Return parameters and optimizer state after one update along the gradient.

    optax minimises, so the gradient is negated here; `ops.layers.relu` requires the sign of the
    score.
    """
    downhill = jax.tree.map(jnp.negative, gradient)
    updates, optimizer_state = optimizer.update(
        downhill,
        optimizer_state,
        params,
        value=-value,  # these three are for line searches
        grad=downhill,
        value_fn=lambda params: -score(params)[0],
    )
    return optax.apply_updates(params, updates), optimizer_state


def _result(recipe: Recipe, image: Images, metrics: Metrics) -> Result:
    """Return the result of an image and of the metrics of all steps and both evaluations."""
    no_gradient = ~jnp.any(metrics.pop("has_gradient"))
    silent = jnp.all(metrics.pop("is_silent")[1:])
    history = {name: values[1:-1] for name, values in metrics.items()}
    final_score = metrics["score"][-1]
    finite = jnp.all(jnp.isfinite(history["score"]) & jnp.isfinite(history["gradient_norm"]))
    return Result(
        image=image,
        history=history,
        initial_score=metrics["score"][0],
        final_score=final_score,
        finite=finite & jnp.isfinite(final_score) & jnp.all(jnp.isfinite(image)),
        dead=no_gradient | silent,
    )
