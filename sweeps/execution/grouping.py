"""Groups of jobs that share a program: their jobs and models have equal structure."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from fvjax.metrics.context import SharedMetricInputs
from fvjax.models.model import Model
from sweeps.execution.batched import without_steps
from sweeps.task import Task


@dataclass(frozen=True)
class Group:
    """Jobs of one model that run together; `members` are their places in the sweep."""

    signature: Any  # equal where job and model have equal structure: one compiled program
    steps: int
    measured: bool
    model: Model
    shared_inputs: SharedMetricInputs
    members: tuple[int, ...]


def signature(*trees: Any) -> Any:
    """Return what decides a program: tree structures with static fields, shapes and dtypes."""
    leaves, structure = jax.tree.flatten(trees)
    return structure, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves)


def program_name(key: Any) -> str:
    """Return a short name of a structure, equal in all processes."""
    text = re.sub(
        r" at 0x[0-9a-f]+", "", str(key)
    )  # addresses of functions differ between processes
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def group_tasks(tasks: Sequence[Task], measured: bool = True) -> list[Group]:
    """Group tasks, in order of first appearance.

    No group mixes two models, two shared inputs or two numbers of steps. Groups that differ only in
    steps or in the leaves of the model have equal signatures: they share a program.
    """
    groups: dict[Any, list[int]] = {}
    for place, task in enumerate(tasks):
        job, steps = without_steps(task.job), task.job.recipe.steps
        inputs = task.model, job, None, task.shared_inputs, task.job_inputs
        kind = signature(inputs), task.measured and measured
        groups.setdefault((kind, steps, id(task.model), id(task.shared_inputs)), []).append(place)
    return [
        Group(kind, steps, kind[1], first.model, first.shared_inputs, tuple(members))
        for (kind, steps, _, _), members in groups.items()
        for first in [tasks[members[0]]]
    ]


def batches(members: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Split the members into runs of at most `size`."""
    return [tuple(members[i : i + size]) for i in range(0, len(members), size)]
