"""The ascent: its state, its start and one step, which every loop over steps repeats."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from fvjax.models.model import Model
from fvjax.optimization.annealing import has_settled, penalty_share, with_penalty_share
from fvjax.optimization.gradient_balance import gradient_ratios, with_ratios
from fvjax.optimization.octaves import by_size, enlarge, octave_at
from fvjax.optimization.optimizers import OPTIMIZERS
from fvjax.optimization.recipe import Job
from fvjax.optimization.score import Views, score_of
from fvjax.optimization.summary import Summary, begin_summary, update_summary
from fvjax.pytree import dataclass
from fvjax.transforms.random_crop import middle
from fvjax.types import Image, Images, Scalar, Scalars

MAX_REVIVE_STEPS = 16  # Lucid's; steps during which ReLUs may revive a dead direction
MEASURED = ("score", "dot", "cosine", "orthogonal", "norm", "gradient_norm")  # in each step
Metrics = dict[str, Array]


@dataclass
class AscentState:
    """The loop's state between two steps. With octaves, params and optimizer are tuples."""

    params: Any
    optimizer: Any  # the optimizer's state
    octave: Int[Array, "*batch"]  # the octave of the previous step
    ratios: tuple[Scalars, ...]  # of the `Balanced` penalties, measured at the start
    dead: Bool[Array, "*batch"]  # whether the direction was dead at the previous step
    revived: Bool[Array, "*batch"]  # whether the previous step's gradient was redirected
    begun_steps: Int[Array, "*batch"]  # gradient steps since the direction was first not dead
    transparency: Float[Array, "*images height width"] | None  # sum over steps of |∂score/∂image|
    summary: Summary


def start(model: Model, job: Job) -> AscentState:
    """Return the state before the evaluation of the first image."""
    key, _ = jax.random.split(job.key)
    octaves, false = by_size(job), jnp.array(False)
    params = [one.recipe.init(key) for one in octaves]
    optimizer = [_optimizer(job).init(one) for one in params]
    state = AscentState(
        params=tuple(params) if job.recipe.octaves else params[0],
        optimizer=tuple(optimizer) if job.recipe.octaves else optimizer[0],
        octave=jnp.int32(0),
        ratios=gradient_ratios(model, job),
        dead=false,
        revived=false,
        begun_steps=jnp.int32(0),
        transparency=_first_transparency(job, params[0]),
        summary=begin_summary(),
    )
    # Under vmap, a loop is traced again until it knows which values differ between jobs. All
    # values do: tying the constants to the key (x & 0 is 0) avoids the repetition.
    never = jnp.any(jax.random.key_data(key) & 0 != 0)
    tied: AscentState = jax.tree.map(lambda x: jnp.where(never, jnp.zeros_like(x), x), state)
    return tied


def ascend(
    model: Model,
    job: Job,
    steps: int | Int[Array, ""],
    state: AscentState,
    step: Int[Array, ""],
) -> tuple[AscentState, Metrics]:
    """Return the state after a step, and the metrics of the image before it.

    With octaves, the step's octave ascends; at its first step it begins with the one before.
    """
    if not job.recipe.octaves:
        return _ascend(model, job, steps, state, step)
    octaves = by_size(job)

    def at(place: int) -> Callable[[AscentState], tuple[AscentState, Metrics]]:
        here = octaves[place]

        def advance(state: AscentState) -> tuple[AscentState, Metrics]:
            params = state.params[place]
            if place:
                params = lax.cond(
                    octave_at(step - 1, steps, len(octaves)) < place,
                    lambda: enlarge(
                        octaves[place - 1].recipe, state.params[place - 1], here.recipe
                    ),
                    lambda: params,
                )
            own = replace(state, params=params, optimizer=state.optimizer[place])
            after, metrics = _ascend(model, here, steps, own, step)
            both = (state.params, after.params), (state.optimizer, after.optimizer)
            params, optimizer = ((*x[:place], y, *x[place + 1 :]) for x, y in both)
            octave = jnp.full_like(state.octave, place)
            return replace(after, params=params, optimizer=optimizer, octave=octave), metrics

        return advance

    number = octave_at(step, steps, len(octaves))
    branches = [at(place) for place in range(len(octaves))]
    ascended: tuple[AscentState, Metrics] = lax.switch(number, branches, state)
    return ascended


def _ascend(
    model: Model,
    job: Job,
    steps: int | Int[Array, ""],
    state: AscentState,
    step: Int[Array, ""],
) -> tuple[AscentState, Metrics]:
    """Return the state after a step of one size, and the metrics of the image before it.

    At step -1, from `steps` on and after an early stop, the untransformed image is evaluated and
    stays. The same step does both, because compiling the network again would take longer.
    """
    job, optimizer = with_ratios(job, state.ratios), _optimizer(job)
    recipe = job.recipe
    evaluate_only = (step < 0) | (step >= steps) | state.summary.converged
    share = penalty_share(recipe.anneal_steps, state.begun_steps, evaluate_only)
    job = with_penalty_share(job, share)
    # Redirect only while the direction is dead: dead channels would bend other gradients.
    revive = state.dead & (step < MAX_REVIVE_STEPS)
    # Redirected gradients are about 100 times larger. Without a reset, the optimizer's moments
    # would stall the ascent for hundreds of steps.
    reset = state.revived & ~revive
    fresh = optimizer.init(state.params)
    optimizer_state = jax.tree.map(partial(jnp.where, reset), fresh, state.optimizer)

    def decode(params: Any) -> Images:
        with jax.named_scope("parameterization"):
            return recipe.decode(params)

    def score(image: Images) -> tuple[Scalar, Metrics]:
        return score_of(model, job, image, _views(job, step, evaluate_only), revive)

    image, pull_back = jax.vjp(decode, state.params)
    (value, metrics), of_image = jax.value_and_grad(score, has_aux=True)(image)
    (gradient,) = pull_back(of_image)
    gradient_norm, is_silent = optax.tree.norm(gradient), metrics.pop("is_silent")
    dead = metrics.pop("is_dead") | ((gradient_norm == 0) & ~evaluate_only)
    unchanged = state.params, optimizer_state
    with jax.named_scope("optimizer"):
        ascended = _update(optimizer, lambda p: score(decode(p)), value, gradient, *unchanged)
    params, optimizer_state = jax.tree.map(partial(jnp.where, evaluate_only), unchanged, ascended)
    measured = {"score": value, **metrics, "gradient_norm": gradient_norm}
    begins = ~evaluate_only & (~dead | (state.begun_steps > 0))
    begun_steps = state.begun_steps + begins.astype(jnp.int32)
    may_stop = recipe.stop_when_converged & has_settled(recipe.anneal_steps, begun_steps)
    taken = (is_silent, step, ~evaluate_only, ~revive, may_stop)
    state = AscentState(
        params=params,
        optimizer=optimizer_state,
        octave=state.octave,
        ratios=state.ratios,
        dead=dead,
        revived=revive,
        begun_steps=begun_steps,
        transparency=_add_transparency(state.transparency, of_image, ~evaluate_only & ~revive),
        summary=update_summary(state.summary, measured, *taken),
    )
    return state, measured


def _views(job: Job, step: Int[Array, ""], evaluate_only: Bool[Array, ""]) -> Views:
    """Return the transform of a step, which each of a job's images draws for itself."""
    recipe, (_, draws) = job.recipe, jax.random.split(job.key)

    def view(image: Image, number: int | Array) -> Array:
        key = jax.random.fold_in(draws, step)
        if recipe.images_per_job > 1:
            key = jax.random.fold_in(key, number)
        with jax.named_scope("transform"):
            seen = recipe.transform(key, image)
            return jnp.where(evaluate_only, middle(image, seen.shape), seen)

    return view


def _first_transparency(job: Job, params: Any) -> Array | None:
    if not job.recipe.transparency:
        return None
    return jnp.zeros(jax.eval_shape(job.recipe.decode, params).shape[:-1])


def _add_transparency(total: Array | None, of_image: Array, moved: Array) -> Array | None:
    """Add |∂score/∂image|, averaged over colours, of a step that nothing revived."""
    return None if total is None else total + jnp.where(moved, jnp.mean(jnp.abs(of_image), -1), 0)


def _optimizer(job: Job) -> optax.GradientTransformationExtraArgs:
    recipe = job.recipe
    return optax.with_extra_args_support(OPTIMIZERS[recipe.optimizer](recipe.learning_rate))


def _update(
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
