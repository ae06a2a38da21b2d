"""Visualization of many jobs: jobs of equal structure run as one vmapped program."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.models.model import Model
from fvjax.optimization.recipe import Job, as_leaves, stack_jobs
from fvjax.optimization.result import Result
from fvjax.optimization.visualize import visualize

_run = jax.jit(jax.vmap(visualize, in_axes=(None, 0)))


def visualize_many(
    model: Model,
    jobs: Sequence[Job],
    *,
    batch_size: int = 16,
    progress: Callable[[str], object] | None = None,
) -> list[Result]:
    """Return the results of many jobs.

    Jobs of equal structure (layer, image size, steps, terms of the objective) share a compiled
    program; their numbers may differ. The last batch of a structure is padded.

    Args:
        model: the network.
        jobs: the jobs, of any structures.
        batch_size: largest number of jobs in one program.
        progress: called with one line of text after each batch, for example `print`.

    Returns:
        One result for each job, in the order of the jobs, on the host.
    """
    checks.count("batch_size", batch_size)
    prepared = [as_leaves(job) for job in jobs]
    groups: dict[Any, list[int]] = {}
    for index, job in enumerate(prepared):
        groups.setdefault(_structure(job), []).append(index)
    results: dict[int, Result] = {}
    for members in groups.values():
        size = min(batch_size, len(members))
        for first in range(0, len(members), size):
            batch = members[first : first + size]
            padded = [prepared[i] for i in batch] + [prepared[batch[-1]]] * (size - len(batch))
            stacked = jax.device_get(_run(model, stack_jobs(padded)))
            for row, index in enumerate(batch):
                results[index] = jax.tree.map(lambda x, row=row: x[row], stacked)
            if progress is not None:
                progress(f"{len(results)} of {len(jobs)} images")
    return [results[i] for i in range(len(jobs))]


def _structure(job: Job) -> Any:
    """Return the tree structure, shapes and types that decide a job's compiled program."""
    leaves, tree = jax.tree.flatten(job)
    return tree, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves)
