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
from fvjax.metrics.context import JobMetricInputs, SharedMetricInputs, ambiguity, transfer
from fvjax.metrics.ground_truth import ground_truth_metrics
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


def measure_jobs(
    replicated: tuple[Model, SharedMetricInputs],
    jobs: Job,
    job_inputs: JobMetricInputs,
    images: Any,
) -> Any:
    """The metrics of stacked jobs' images."""
    model, shared_inputs = replicated

    def one(job: Job, job_inputs: JobMetricInputs, image: Any, share: Any = 0.0) -> Any:
        recipe, direction = job.recipe, job.direction.at(share)
        reference, focus = shared_inputs.reference, recipe.objective.focus
        found = fvjax.measure(
            model, direction, image, recipe.transform, focus, reference, job_inputs.whitened
        )
        truth, feature = shared_inputs.truth, job_inputs.feature
        if truth is not None and feature is not None and isinstance(direction, Direction):
            score = balanced(model, job).recipe.objective
            found |= ground_truth_metrics(model, score, direction, image, truth, feature)
        if shared_inputs.judge is not None and job_inputs.concept is not None:
            read = (shared_inputs.judge, image, job_inputs.concept)
            found |= {"transfer": transfer(*read), "ambiguity": ambiguity(*read)}
        return found

    def several(job: Job, job_inputs: JobMetricInputs, images: Any) -> Any:
        """The means over a job's images."""
        shares = jnp.linspace(0, 1, job.recipe.images_per_job)
        each = jax.vmap(partial(one, job, job_inputs))(images, shares)
        return jax.tree.map(partial(jnp.mean, axis=0), each)

    alone = jobs.recipe.images_per_job == 1
    return jax.vmap(one if alone else several)(jobs, job_inputs, images)


def without_objective(jobs: Job, shared_inputs: SharedMetricInputs) -> Job:
    """The jobs as metrics see them: of an objective, only where it looks.

    So that objectives share a program of metrics; ground truth alone asks for the score itself.
    """
    objective: Any = jobs.recipe.objective
    if shared_inputs.truth is not None:
        return jobs
    if isinstance(objective, fvjax.AtCenter):
        objective = objective.replace(objective=fvjax.Cosine())  # type: ignore[attr-defined]
    elif type(objective).focus is Objective.focus:
        objective = fvjax.Cosine()
    recipe = jobs.recipe.replace(objective=objective)  # type: ignore[attr-defined]
    return jobs.replace(recipe=recipe)  # type: ignore[attr-defined, no-any-return]
