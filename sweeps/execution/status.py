"""The status of a job that has run."""

from collections.abc import Mapping
from typing import Any

import fvjax
from fvjax.objectives.objective import Objective, parts
from sweeps.execution.batch import Outcome
from sweeps.task import Task

_LEAST_PERCENTILE = 50  # of the reference images' dot products
_LEAST_STRENGTH = 0.05  # of a planted feature
_WITHOUT_VECTOR = (fvjax.DeepDream,)  # objectives that do not read the direction's vector


def status_of(task: Task, outcome: Outcome, metrics: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the job's status, with the error of a failed or diverged job.

    Args:
        task: the job.
        outcome: how it ended.
        metrics: the columns of its metrics.
    """
    result = outcome.result
    if result is None:
        return "failed", outcome.error
    if not result.finite:
        return "diverged", "a step was not finite"
    annealed = task.job.recipe.anneal_steps > 0  # a blank first image may then have a higher score
    if result.final_score < result.initial_score and not annealed:
        return "diverged", (
            f"the final score {result.final_score:.3g} is below the first image's "
            f"{result.initial_score:.3g}: too few steps, or too large a learning rate"
        )
    if result.dead:
        return "dead", None
    return ("collapsed" if _is_collapsed(task, metrics) else "ok"), None


def _is_collapsed(task: Task, metrics: Mapping[str, Any]) -> bool:
    """Return whether the image excites the direction too little to show it.

    Of a planted feature, `strength` decides; else `reference_percentile`, without which nothing is
    decided. For `objective.sign=-1` an image above the median is the one that shows nothing.
    """
    if not _reads_vector(task.job.recipe.objective):
        return False
    minimised = task.columns.get("objective_sign", 1) == -1
    strength, percentile = (metrics.get(name) for name in ("strength", "reference_percentile"))
    if strength is not None and not minimised:
        return bool(strength < _LEAST_STRENGTH)
    if percentile is None:
        return False
    return bool(percentile > _LEAST_PERCENTILE if minimised else percentile < _LEAST_PERCENTILE)


def _reads_vector(objective: Objective) -> bool:
    return not any(isinstance(part, _WITHOUT_VECTOR) for part in parts(objective))
