"""The one loop: ascend an objective by gradient from a random image."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.models.model import Model, with_model_precision
from fvjax.optimization.gradient_balance import balanced
from fvjax.optimization.optimizers import OPTIMIZERS
from fvjax.optimization.recipe import Job
from fvjax.optimization.score import score_of
from fvjax.pytree import dataclass
from fvjax.types import Image, Scalar

Carry = tuple[Any, Any, Array, Array]  # parameters, optimizer's state, dead, revived before
MAX_REVIVE_STEPS = 16  # Lucid's: so long may a sleeping direction be woken (`layers.relu`)


@dataclass
class Result:
    """What one job made."""

    image: Image  # untransformed, RGB in [0, 1]; several have a leading axis
    history: dict[str, Float[Array, "steps"]]  # measured on each step's transformed view
    initial_score: Scalar  # of the first image, untransformed
    final_score: Scalar  # of the final image, untransformed
    finite: Bool[Array, ""]  # every step's score and gradient was a number
    dead: Bool[Array, ""]  # never woke: no gradient once unaided, or a dot product of 0 throughout


@with_model_precision
def visualize(model: Model, job: Job) -> Result:
    """Make one image: a pure function of model and job, to be jitted and vmapped over jobs.

    The same key draws the same initial noise and the same transforms for every objective. A job of
    several images makes them together, each with noise and transforms of its own.
    """
    job = balanced(model, job)
    recipe = job.recipe
    start, draws = jax.random.split(job.key)
    rate = recipe.learning_rate
    optimizer = optax.with_extra_args_support(OPTIMIZERS[recipe.optimizer](rate))
    params = recipe.init(start)

    def ascend(carry: Carry, step: Array) -> tuple[Carry, dict[str, Array]]:
        params, state, dead, redirected = carry
        # Before the first step and after the last one the image is only looked at, as it is: in the
        # same loop, because compiling the network once more takes longer than two gradients.
        looking = (step < 0) | (step == recipe.steps)
        # Only a sleeping direction is redirected: through the sleeping channels on the way, the
        # gradient of one that is wide awake would point elsewhere.
        redirect = dead & (step < MAX_REVIVE_STEPS)
        # Redirected gradients are a hundred times as long: an optimizer that remembered them would
        # hardly move for hundreds of steps.
        anew = redirected & ~redirect
        state = jax.tree.map(partial(jnp.where, anew), optimizer.init(params), state)

        def views(image: Image, number: int | Array) -> Image:
            key = jax.random.fold_in(draws, step)
            if recipe.images_per_job > 1:
                key = jax.random.fold_in(key, number)
            return jnp.where(looking, image, recipe.transform(key, image))

        def score(params: Any) -> tuple[Scalar, dict[str, Array]]:
            # The gradient is the score's all the way down (`layers.relu` needs its sign); optax
            # minimises, so it is negated outside.
            return score_of(model, job, recipe.decode(params), views, redirect)

        (value, seen), gradient = jax.value_and_grad(score, has_aux=True)(params)
        gradient_norm = optax.tree.norm(gradient)
        dead = seen.pop("is_dead") | ((gradient_norm == 0) & ~looking)
        downhill = jax.tree.map(jnp.negative, gradient)
        updates, moved = optimizer.update(
            downhill,
            state,
            params,
            value=-value,  # these three are for line searches
            grad=downhill,
            value_fn=lambda params: -score(params)[0],
        )
        params, state = jax.tree.map(
            partial(jnp.where, looking),
            (params, state),
            (optax.apply_updates(params, updates), moved),
        )
        told = {"score": value, **seen, "gradient_norm": gradient_norm}
        return (params, state, dead, redirect), told

    # Under vmap a scan is traced anew until it knows which of its values differ between jobs. All
    # do; tying the constants to the key (x & 0 is 0) says so at once.
    never = jnp.any(jax.random.key_data(start) & 0 != 0)
    begin = (params, optimizer.init(params), jnp.array(False), jnp.array(False))
    begin = jax.tree.map(lambda x: jnp.where(never, jnp.zeros_like(x), x), begin)
    end, looks = lax.scan(ascend, begin, jnp.arange(-1, recipe.steps + 1))
    image = recipe.decode(end[0])
    history = {name: values[1:-1] for name, values in looks.items()}
    score = looks["score"][-1]
    unaided = min(MAX_REVIVE_STEPS, recipe.steps - 1)  # the first step that nothing wakes
    stuck = jnp.all(history["gradient_norm"][unaided:] == 0)
    finite = jnp.all(jnp.isfinite(history["score"]) & jnp.isfinite(history["gradient_norm"]))
    return Result(
        image=image,
        history=history,
        initial_score=looks["score"][0],
        final_score=score,
        finite=finite & jnp.isfinite(score) & jnp.all(jnp.isfinite(image)),
        dead=stuck | jnp.all(looks["dot"][1:] == 0),
    )
