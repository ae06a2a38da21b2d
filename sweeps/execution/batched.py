"""Stacked jobs, leaves with a leading axis: visualized and measured."""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

import fvjax
from fvjax.direction import Direction
from fvjax.metrics.context import Marks, Yardsticks, ambiguity, transfer
from fvjax.metrics.ground_truth import judge
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective
from fvjax.optimization.gradient_balance import balanced
from fvjax.optimization.recipe import Job
from fvjax.optimization.visualize import Result

Tree = TypeVar("Tree")

JOBS = PartitionSpec("jobs")  # how stacked jobs lie on a mesh


def leaves(job: Job) -> Job:
    """The job with every plain number cast to a float32: 3, 3.0 and float32(3) are one program."""
    cast: Job = jax.tree.map(lambda x: np.float32(x) if isinstance(x, (int, float)) else x, job)
    return cast


def stack(jobs: Sequence[Tree]) -> Tree:
    """One job (or other pytree) whose leaves have a leading jobs axis."""

    def together(*rows: Any) -> Any:
        random = jnp.issubdtype(rows[0].dtype, jax.dtypes.prng_key)
        return jnp.stack(rows) if random else np.stack([np.asarray(row) for row in rows])

    stacked: Tree = jax.tree.map(together, *jobs)
    return stacked


def run_jobs(model: Model, jobs: Job) -> Result:
    """Visualize stacked jobs: leaves with a leading jobs axis; the model has none."""
    return jax.vmap(fvjax.visualize, in_axes=(None, 0))(model, jobs)


def measure_jobs(whole: tuple[Model, Yardsticks], jobs: Job, marks: Marks, images: Any) -> Any:
    """The metrics of stacked jobs' images."""
    model, yardsticks = whole

    def one(job: Job, marks: Marks, image: Any, share: Any = 0.0) -> Any:
        recipe, direction = job.recipe, job.direction.at(share)
        natural, focus = yardsticks.natural, recipe.objective.focus
        found = fvjax.measure(
            model, direction, image, recipe.transform, focus, natural, marks.whitened
        )
        truth, feature = yardsticks.truth, marks.feature
        if truth is not None and feature is not None and isinstance(direction, Direction):
            score = balanced(model, job).recipe.objective
            found |= judge(model, score, direction, image, truth, feature)
        if yardsticks.judge is not None and marks.concept is not None:
            read = (yardsticks.judge, image, marks.concept)
            found |= {"transfer": transfer(*read), "ambiguity": ambiguity(*read)}
        return found

    def several(job: Job, marks: Marks, images: Any) -> Any:
        """The means over a job's images."""
        shares = jnp.linspace(0, 1, job.recipe.images)
        each = jax.vmap(partial(one, job, marks))(images, shares)
        return jax.tree.map(partial(jnp.mean, axis=0), each)

    alone = jobs.recipe.images == 1
    return jax.vmap(one if alone else several)(jobs, marks, images)


def measured_as(jobs: Job, yardsticks: Yardsticks) -> Job:
    """The jobs as metrics see them: of an objective, only where it looks.

    So that objectives share a program of metrics; ground truth alone asks for the score itself.
    """
    objective: Any = jobs.recipe.objective
    if yardsticks.truth is not None:
        return jobs
    if isinstance(objective, fvjax.AtCenter):
        objective = objective.replace(objective=fvjax.Cosine())  # type: ignore[attr-defined]
    elif type(objective).focus is Objective.focus:
        objective = fvjax.Cosine()
    recipe = jobs.recipe.replace(objective=objective)  # type: ignore[attr-defined]
    return jobs.replace(recipe=recipe)  # type: ignore[attr-defined, no-any-return]
