"""The result of an ascent."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fvjax.optimization.ascent import AscentState, Metrics
from fvjax.optimization.octaves import by_size, image_of
from fvjax.optimization.recipe import Job
from fvjax.pytree import dataclass
from fvjax.types import Images, Scalars


@dataclass
class Result:
    """The image of one job, and the metrics of its optimization."""

    image: Images  # untransformed, RGB in [0, 1]; several have a leading axis
    history: dict[str, Float[Array, "*batch steps"]]  # measured on each step's transformed view
    initial_score: Scalars  # of the first image, untransformed
    final_score: Scalars  # of the final image, untransformed
    snapshots: Float[Array, "*snapshots height width channels"]  # after `Recipe.snapshots`
    steps_run: Int[Array, "*batch"]  # gradient steps taken; after an early stop fewer than `steps`
    finite: Bool[Array, "*batch"]  # every step's score and gradient was a number
    dead: Bool[Array, "*batch"]  # no gradient without revival, or dot 0 for all directions read
    # Sum over steps of |∂score/∂image|, averaged over colours; None unless `Recipe.transparency`.
    transparency: Float[Array, "*images height width"] | None = None


def result_of(job: Job, state: AscentState, history: Metrics, snapshots: Any = None) -> Result:
    """Return the result of a state.

    Args:
        job: the job.
        state: the state after the last evaluation.
        history: the metrics of each step.
        snapshots: parameters and octaves with a leading axis; None for no snapshots.
    """
    summary, octaves = state.summary, by_size(job)

    def decode(params: Any, octave: Array) -> Images:
        return image_of(job.recipe, octaves, params, octave)

    image = decode(state.params, state.octave)
    none = jnp.zeros((0, *image.shape), image.dtype)
    return Result(
        image=image,
        history=history,
        initial_score=summary.initial_score,
        final_score=summary.score,
        snapshots=none if snapshots is None else jax.vmap(decode)(*snapshots),
        steps_run=summary.steps_run,
        finite=summary.finite & jnp.all(jnp.isfinite(image)),
        dead=summary.no_gradient | summary.silent,
        transparency=state.transparency,
    )
