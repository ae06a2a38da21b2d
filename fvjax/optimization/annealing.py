"""Annealed penalties: their weight is 0 until the direction has begun, then rises linearly.

A penalty that acts from the first step can leave an image blank: switching the layer off costs
less than exciting the direction. An annealed penalty first lets the direction begin.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from fvjax.objectives.objective import Subtracted
from fvjax.optimization.recipe import Job
from fvjax.optimization.summary import WINDOW
from fvjax.types import Number, Scalar


def penalty_share(
    anneal_steps: Number, begun_steps: Int[Array, ""], evaluate_only: Bool[Array, ""]
) -> Scalar:
    """Return the share of the penalties' weights in a step, from 0 to 1.

    Args:
        anneal_steps: steps over which the share rises from 0 to 1; 0 is a share of 1 throughout.
        begun_steps: gradient steps since the direction was first seen not dead, that one included.
        evaluate_only: whether the image is evaluated, with the whole penalties.
    """
    rising = jnp.minimum(begun_steps / jnp.maximum(anneal_steps, 1.0), 1.0)
    return jnp.where(evaluate_only | (jnp.asarray(anneal_steps) <= 0), 1.0, rising)


def has_settled(anneal_steps: Number, begun_steps: Int[Array, ""]) -> Bool[Array, ""]:
    """Return whether the two windows that decide on convergence had the whole penalties."""
    whole = begun_steps >= anneal_steps + 2 * WINDOW
    return whole | (jnp.asarray(anneal_steps) <= 0)


def with_penalty_share(job: Job, share: Scalar) -> Job:
    """Return the job in which everything that its objective subtracts counts by this share."""

    def is_subtracted(part: object) -> bool:
        return isinstance(part, Subtracted)

    objective = jax.tree.map(
        lambda part: part.replace(share=share) if is_subtracted(part) else part,
        job.recipe.objective,
        is_leaf=is_subtracted,
    )
    recipe = job.recipe.replace(objective=objective)  # type: ignore[attr-defined]
    return job.replace(recipe=recipe)  # type: ignore[attr-defined, no-any-return]
