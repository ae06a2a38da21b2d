"""Run tasks and write what they made: rows, history, pictures. Knows nothing of Hydra."""

import hashlib
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fvjax.reference.distances import standardize_projection
from sweeps.execution.executor import Executor, Outcome
from sweeps.execution.grouping import group_tasks
from sweeps.execution.interrupt import interruptible
from sweeps.execution.progress import Progress
from sweeps.results.table import METRICS, write_part
from sweeps.storage.atomic import atomic_write
from sweeps.task import Task

Row = dict[str, Any]
PICTURES = "images"


@cache
def executor() -> Executor:
    """The process's executor: its compiled programs serve every sweep in it."""
    return Executor()


def run(
    tasks: Sequence[Task],
    numbers: Sequence[int],
    directory: Path,
    batch_size: int | None = None,
    batch_size_of: Mapping[str, int] | None = None,
    report: Callable[[Row], None] = lambda row: None,
) -> None:
    """Run the tasks; each batch's rows are on disk before they are reported.

    Args:
        tasks: what to run.
        numbers: the tasks' job numbers.
        directory: of the sweep, or of the run.
        batch_size: jobs per program; None for a fitting number.
        batch_size_of: for programs that ran before, their batch sizes, so that a resumed sweep
            repeats the same sums.
        report: called with the row of every task as its batch ends.

    Raises:
        KeyboardInterrupt: Ctrl-C; the batch that was in flight is on disk and reported.
    """
    groups = group_tasks(tasks)
    total = sum(task.job.recipe.steps for task in tasks)
    with interruptible() as interrupted, Progress(total) as progress:
        names = [program_name(group.signature) for group in groups]
        wanted = [
            batch_size if batch_size is not None else (batch_size_of or {}).get(name)
            for name in names
        ]
        for place, (group, name) in enumerate(zip(groups, names, strict=True)):
            if interrupted():  # between two groups nothing is in flight
                raise KeyboardInterrupt
            for near in range(place, min(place + 2, len(groups))):  # the next compiles meanwhile
                executor().prepare(groups[near], tasks, wanted[near])
            for ended in executor().execute(group, tasks, wanted[place], progress.announce):
                stop = interrupted()  # while this batch was in flight; later, the next one is
                for row in _kept(ended, tasks, numbers, name, directory):
                    progress.advance(row["steps"])
                    report(row)
                if stop:
                    raise KeyboardInterrupt


def _kept(
    ended: Sequence[tuple[int, Outcome]],
    tasks: Sequence[Task],
    numbers: Sequence[int],
    program: str,
    directory: Path,
) -> list[Row]:
    """The rows of a batch, when they are on disk."""
    rows = [row_of(tasks[i], numbers[i], outcome, program, directory) for i, outcome in ended]
    write_part(directory, rows, _history(rows, [outcome for _, outcome in ended]))
    return rows


def program_name(key: Any) -> str:
    """A short name of a structure, the same in every process."""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(key))  # a function's address says nothing
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def row_of(task: Task, number: int, outcome: Outcome, program: str, directory: Path) -> Row:
    """The job's row of the table; its picture is written to images/."""
    result = outcome.result
    row: Row = {"job": number, "job_id": task.job_id}
    status, error = _fate(outcome)
    row |= {"status": status, "error": error} | task.columns
    row |= {"layer": task.info.direction.layer, "label": task.info.label}
    row |= {"kind": task.info.kind} | dict.fromkeys((*METRICS, "content"))
    if result is not None:
        metrics: dict[str, Any] = {
            "initial_score": result.initial_score,
            "final_score": result.final_score,
        }
        metrics |= outcome.metrics
        if "dot" in metrics and task.info.reference_projections is not None:
            metrics |= standardize_projection(metrics["dot"], task.info.reference_projections)
            metrics["differential"] = metrics["reference_z"] - metrics["excitation"]
        row |= {name: _number(value) for name, value in metrics.items()}
        if task.info.channel is None:
            row["rank"] = None
        if task.info.kind == "covector":
            row["inversion_error"] = None
        if not (row.get("dot") or 0) > 0:
            row["occlusion_support"] = None
    row |= {"seconds": outcome.seconds, "compile_seconds": outcome.compile_seconds}
    row |= {"device": outcome.device, "program": program, "batch_size": outcome.batch_size}
    return row | {"image": _picture(outcome, number, directory)}


def _fate(outcome: Outcome) -> tuple[str, str | None]:
    """Status and error."""
    result = outcome.result
    if result is None:
        return "failed", outcome.error
    if not result.finite:
        return "diverged", "a step was not finite"
    if result.final_score < result.initial_score:
        return "diverged", (
            f"the final score {result.final_score:.3g} is below the first image's "
            f"{result.initial_score:.3g}: too few steps, or too large a learning rate"
        )
    return ("dead" if result.dead else "ok"), None


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return value
    return float(value) if math.isfinite(value) else None


def _picture(outcome: Outcome, number: int, directory: Path) -> dict[str, Any] | None:
    if outcome.result is None or not np.all(np.isfinite(outcome.result.image)):
        return None
    pixels = np.round(np.asarray(outcome.result.image) * 255).astype(np.uint8)
    if pixels.ndim == 4:  # several images, side by side
        pixels = np.concatenate(list(pixels), 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    path = directory / PICTURES / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_bytes(buffer.getvalue())
    return {"bytes": buffer.getvalue(), "path": str(path.relative_to(directory))}


def _history(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """History columns of one batch_size: job, step and what `visualize` kept of every step."""
    columns: dict[str, list[Any]] = {"job": [], "step": []}
    for row, outcome in zip(rows, outcomes, strict=True):
        if outcome.result is None:
            continue
        history = outcome.result.history
        steps = len(history["score"])
        columns["job"].append(np.full(steps, row["job"]))
        columns["step"].append(np.arange(steps))
        for name, values in history.items():
            columns.setdefault(name, []).append(np.asarray(values))
    return {
        name: np.concatenate(values) if values else np.array([], np.int64)
        for name, values in columns.items()
    }
