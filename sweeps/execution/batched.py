"""Visualization and measurement of stacked jobs, whose leaves have a leading jobs axis."""

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
from fvjax.optimization.result import Result

JOBS = PartitionSpec("jobs")  # the jobs axis is split over the mesh


def run_jobs(model: Model, jobs: Job) -> Result:
    """Visualize stacked jobs; the model's leaves have no jobs axis."""
    return jax.vmap(fvjax.visualize, in_axes=(None, 0))(model, jobs)


def measure_jobs(
    replicated: tuple[Model, SharedMetricInputs],
    jobs: Job,
    job_inputs: JobMetricInputs,
    images: Any,
) -> Any:
    """Measure the images of stacked jobs.

    Args:
        replicated: the model and the inputs that all jobs share, without a jobs axis.
        jobs: the stacked jobs.
        job_inputs: the stacked inputs of each job.
        images: (jobs, [images_per_job,] height, width, 3).

    Returns:
        Arrays (jobs, ...) by the name of the metric.
    """
    model, shared_inputs = replicated

    def measure_image(job: Job, job_inputs: JobMetricInputs, image: Any, share: Any = 0.0) -> Any:
        recipe, direction = job.recipe, job.direction.at(share)
        metrics = fvjax.measure(
            model, direction, image, recipe.transform, shared_inputs.reference, job_inputs.whitened
        )
        truth, feature = shared_inputs.truth, job_inputs.feature
        if truth is not None and feature is not None and isinstance(direction, Direction):
            score = balanced(model, job).recipe.objective
            metrics |= ground_truth_metrics(model, score, direction, image, truth, feature)
        if shared_inputs.judge is not None and job_inputs.concept is not None:
            read = (shared_inputs.judge, image, job_inputs.concept)
            metrics |= {"transfer": transfer(*read), "ambiguity": ambiguity(*read)}
        return metrics

    def measure_images(job: Job, job_inputs: JobMetricInputs, images: Any) -> Any:
        """Average the metrics over a job's images."""
        shares = jnp.linspace(0, 1, job.recipe.images_per_job)
        each = jax.vmap(partial(measure_image, job, job_inputs))(images, shares)
        return jax.tree.map(partial(jnp.mean, axis=0), each)

    is_single = jobs.recipe.images_per_job == 1
    return jax.vmap(measure_image if is_single else measure_images)(jobs, job_inputs, images)


def without_objective(jobs: Job, shared_inputs: SharedMetricInputs) -> Job:
    """Return the jobs with one objective for all, unless ground-truth metrics read the objective.

    Jobs of different objectives then share the program that measures them.
    """
    if shared_inputs.truth is not None:
        return jobs
    return replace(jobs, recipe=replace(jobs.recipe, objective=fvjax.Cosine()))
