"""Stacked jobs, leaves with a leading axis: visualized and measured."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

import fvjax
from fvjax.direction import Direction
from fvjax.metrics.context import JobMetricInputs, SharedMetricInputs, ambiguity, transfer
from fvjax.metrics.ground_truth import ground_truth_metrics
from fvjax.models.model import Model
from fvjax.optimization.gradient_balance import balanced
from fvjax.optimization.recipe import Job
from fvjax.optimization.visualize import Result

JOBS = PartitionSpec("jobs")  # how stacked jobs lie on a mesh


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
        found = fvjax.measure(
            model, direction, image, recipe.transform, shared_inputs.reference, job_inputs.whitened
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
    """Return the jobs as metrics need them: ground truth alone reads the objective.

    So jobs of different objectives share the program of their metrics.
    """
    if shared_inputs.truth is not None:
        return jobs
    return replace(jobs, recipe=replace(jobs.recipe, objective=fvjax.Cosine()))
