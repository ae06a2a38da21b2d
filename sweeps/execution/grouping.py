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

_NAMED = ("model", "layer", "objective", "penalty", "space", "parameterization", "transform")
_MOST_NAMED = 3  # options of one column


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


def describe(groups: Sequence[Group], tasks: Sequence[Task]) -> list[str]:
    """Return what each group's jobs are: objectives, and options that not all groups have."""
    columns = [[_options(name, group, tasks) for group in groups] for name in _NAMED]
    shown = [
        options
        for name, options in zip(_NAMED, columns, strict=True)
        if name == "objective" or len(set(options)) > 1
    ]
    return [" ".join(filter(None, own)) for own in zip(*shown, strict=True)]


def _options(column: str, group: Group, tasks: Sequence[Task]) -> str:
    """Return the different values that a group's jobs have in a column, only the first few."""
    rows = (tasks[member] for member in group.members)
    values = (t.info.direction.layer if column == "layer" else t.columns.get(column) for t in rows)
    options = list(dict.fromkeys(str(value) for value in values if value is not None))
    return "+".join(options[:_MOST_NAMED]) + ("+..." if options[_MOST_NAMED:] else "")


def batches(members: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Split the members into runs of at most `size`."""
    return [tuple(members[i : i + size]) for i in range(0, len(members), size)]
