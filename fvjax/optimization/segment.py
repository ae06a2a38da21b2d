"""Some consecutive steps of an ascent, so that the caller can stop, look or save between them."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from fvjax.models.model import Model, with_model_precision
from fvjax.optimization.ascent import MEASURED, AscentState, Metrics, ascend, start
from fvjax.optimization.recipe import Job
from fvjax.optimization.result import Result, result_of


@with_model_precision
def segment(
    model: Model,
    job: Job,
    state: AscentState,
    first: Int[Array, ""],
    last: Int[Array, ""],
    steps: Int[Array, ""],
    *,
    length: int,
) -> tuple[AscentState, Result]:
    """Run the steps from `first` up to, not including, `last`.

    The segments from step -1 to `steps + 1` do what `visualize` does. Bounds are values, so one
    program serves any number of steps; `Recipe.steps` and `Recipe.snapshots` are not read.

    Args:
        model: the network.
        job: the job.
        state: what the segment before returned; for the first segment any state of these shapes.
        first: the first step; -1 is the evaluation of the first image.
        last: the end of the segment; `steps + 1` includes the evaluation of the final image.
        steps: the number of gradient steps of the job.
        length: the largest number of steps in a segment.

    Returns:
        The state, and the result so far. Its history is this segment's, padded to `length`.
    """
    state = lax.cond(first < 0, lambda: start(model, job), lambda: state)

    def body(
        step: Int[Array, ""], loop: tuple[AscentState, Metrics]
    ) -> tuple[AscentState, Metrics]:
        state, history = loop
        state, metrics = ascend(model, job, steps, state, step)
        place = step - first
        history = {
            name: lax.dynamic_update_index_in_dim(values, metrics[name], place, 0)
            for name, values in history.items()
        }
        return state, history

    # As in `start`, the constants are tied to the state, or vmap would trace the loop twice.
    empty = jnp.where(state.summary.finite & False, 1, jnp.zeros(length))
    history = dict.fromkeys(MEASURED, empty)
    state, history = lax.fori_loop(first, last, body, (state, history))
    return state, result_of(job, state, history)
