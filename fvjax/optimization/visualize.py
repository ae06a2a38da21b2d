"""Visualization: gradient ascent of an objective from a random image, in one loop."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from fvjax.models.model import Model, with_model_precision
from fvjax.optimization.ascent import AscentState, Metrics, ascend, start
from fvjax.optimization.recipe import Job
from fvjax.optimization.result import Result, result_of


@with_model_precision
def visualize(model: Model, job: Job) -> Result:
    """Return the image of a job: a pure function, to be jitted and vmapped over jobs.

    The same key draws the same initial noise and the same transforms for every objective. If a job
    has several images, each has its own noise and transforms. After an early stop
    (`Recipe.stop_when_converged`), history and snapshots are those of the final image.
    """
    recipe = job.recipe

    def body(
        loop: tuple[AscentState, Any], step: Int[Array, ""]
    ) -> tuple[tuple[AscentState, Any], Metrics]:
        state, kept = loop
        kept = _keep(kept, recipe.snapshots, step, (state.params, state.octave))
        state, metrics = ascend(model, job, recipe.steps, state, step)
        return (state, kept), metrics

    def empty(x: Array) -> Array:
        return jnp.broadcast_to(x, (len(recipe.snapshots) + 1, *x.shape))

    state = start(model, job)
    kept = jax.tree.map(empty, (state.params, state.octave))
    (state, kept), metrics = lax.scan(body, (state, kept), jnp.arange(-1, recipe.steps + 1))
    history = {name: values[1:-1] for name, values in metrics.items()}
    return result_of(job, state, history, jax.tree.map(lambda x: x[:-1], kept))


def _keep(kept: Any, snapshots: tuple[int, ...], step: Int[Array, ""], params: Any) -> Any:
    """Write the parameters before a step at the place of the next snapshot.

    The last write before the snapshot is passed remains. The last place of `kept` is spare.
    """
    if not snapshots:
        return kept
    place = jnp.sum(jnp.array(snapshots) < step)
    return jax.tree.map(
        lambda all_, x: lax.dynamic_update_index_in_dim(all_, x, place, 0), kept, params
    )
