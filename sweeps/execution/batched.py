"""Visualization and measurement of stacked jobs, whose leaves have a leading jobs axis."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array

import fvjax
from fvjax.direction import Direction
from fvjax.metrics.context import JobMetricInputs, SharedMetricInputs, ambiguity, transfer
from fvjax.metrics.ground_truth import ground_truth_metrics
from fvjax.models.model import Model
from fvjax.optimization.ascent import start
from fvjax.optimization.gradient_balance import balanced
from fvjax.optimization.recipe import Job
from fvjax.optimization.result import Result
from sweeps.execution.segments import SEGMENT

JOBS = PartitionSpec("jobs")  # the jobs axis is split over the mesh


def run_jobs(model: Model, jobs: Job) -> Result:
    """Visualize stacked jobs; the model's leaves have no jobs axis."""
    return jax.vmap(fvjax.visualize, in_axes=(None, 0))(model, jobs)


def segment_jobs(
    replicated: tuple[Model, tuple[Any, Any, Any]], jobs: Job, states: tuple[Array, ...]
) -> tuple[tuple[Array, ...], Result]:
    """Run a segment of stacked jobs.

    Args:
        replicated: the model, and the segment's first step, its end and the number of all steps.
        jobs: the stacked jobs.
        states: the leaves of the stacked states, as `state_shapes` describes them.

    Returns:
        The leaves of the states after the segment, and the stacked results so far.
    """
    model, bounds = replicated
    run = jax.vmap(partial(fvjax.segment, length=SEGMENT), in_axes=(None, 0, 0, None, None, None))
    tree = jax.tree.structure(jax.eval_shape(jax.vmap(start, in_axes=(None, 0)), model, jobs))
    ended, result = run(model, jobs, jax.tree.unflatten(tree, states), *bounds)
    return tuple(jax.tree.leaves(ended)), result


def state_shapes(model: Model, job: Job, jobs: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Return shape and type of each leaf of the stacked states of so many jobs."""
    leaves = jax.tree.leaves(jax.eval_shape(start, model, job))
    return tuple(jax.ShapeDtypeStruct((jobs, *x.shape), x.dtype) for x in leaves)


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
        for name, own in (shared_inputs.own or {}).items():
            plain = direction.original.resolve(model, lambda view: view)
            metrics[name] = own({**model(image), "image": image}, plain)
        return metrics

    def measure_images(job: Job, job_inputs: JobMetricInputs, images: Any) -> Any:
        """Average the metrics over a job's images."""
        shares = jnp.linspace(0, 1, job.recipe.images_per_job)
        each = jax.vmap(partial(measure_image, job, job_inputs))(images, shares)
        return jax.tree.map(partial(jnp.mean, axis=0), each)

    is_single = jobs.recipe.images_per_job == 1
    return jax.vmap(measure_image if is_single else measure_images)(jobs, job_inputs, images)


def without_steps(job: Job) -> Job:
    """Return the job with one number of steps for all and no snapshots: segments read neither."""
    least = len(job.recipe.octaves) + 1
    return replace(job, recipe=replace(job.recipe, steps=least, snapshots=()))


def without_objective(jobs: Job, shared_inputs: SharedMetricInputs) -> Job:
    """Return the jobs with one objective for all, unless ground-truth metrics read the objective.

    Jobs of different objectives then share the program that measures them.
    """
    if shared_inputs.truth is not None:
        return jobs
    return replace(jobs, recipe=replace(jobs.recipe, objective=fvjax.Cosine()))
