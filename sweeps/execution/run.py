"""Run tasks and write their rows, histories and images, independently of Hydra."""

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

import fvjax
from fvjax.reference.distances import standardize_projection
from sweeps.config.errors import Interrupted
from sweeps.execution.executor import Executor, Outcome
from sweeps.execution.grouping import group_tasks
from sweeps.execution.interrupt import interruptible
from sweeps.execution.progress import Progress
from sweeps.results.pictures import PICTURES, write_pictures
from sweeps.results.table import METRICS, write_part
from sweeps.task import Task

Row = dict[str, Any]


@cache
def executor() -> Executor:
    """Return the process's executor, whose compiled programs serve every sweep."""
    return Executor()


def run(
    tasks: Sequence[Task],
    numbers: Sequence[int],
    directory: Path,
    batch_size: int | None = None,
    batch_size_of: Mapping[str, int] | None = None,
    report: Callable[[Row], None] = lambda row: None,
    attempt: int = 1,
    go_on: str = "",
) -> None:
    """Run the tasks; a batch's rows are written before they are reported.

    Args:
        tasks: the tasks.
        numbers: the tasks' job numbers.
        directory: the directory of the sweep or run.
        batch_size: jobs per program; None leaves the choice to the executor.
        batch_size_of: batch sizes of programs that ran before, by name: a resumed sweep repeats
            the same sums.
        report: called with the row of each task when its batch ends.
        attempt: the number of this start of the sweep.
        go_on: what is printed when a second signal ends the process.

    Raises:
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; the batch in flight is on disk and reported.
        OSError: rows cannot be written.
    """
    groups = group_tasks(tasks)
    total = sum(task.job.recipe.steps for task in tasks)
    with interruptible(go_on) as interrupted, Progress(total) as progress:
        names = [program_name(group.signature) for group in groups]
        wanted = [
            batch_size if batch_size is not None else (batch_size_of or {}).get(name)
            for name in names
        ]
        for place, (group, name) in enumerate(zip(groups, names, strict=True)):
            if signal := interrupted():  # between two groups nothing is in flight
                raise Interrupted(signal)
            for near in range(place, min(place + 2, len(groups))):  # the next compiles meanwhile
                executor().prepare(groups[near], tasks, wanted[near])
            for ended in executor().execute(group, tasks, wanted[place], progress.announce):
                signal = interrupted()  # read now: the next batch is dispatched later
                for row in _write_batch(ended, tasks, numbers, name, directory, attempt):
                    progress.advance(row["steps"])
                    report(row)
                if signal:
                    raise Interrupted(signal)


def _write_batch(
    ended: Sequence[tuple[int, Outcome]],
    tasks: Sequence[Task],
    numbers: Sequence[int],
    program: str,
    directory: Path,
    attempt: int,
) -> list[Row]:
    """Write the rows, histories and images of a batch; return the rows."""
    rows = [make_row(tasks[i], numbers[i], outcome, program, attempt) for i, outcome in ended]
    write_part(directory, rows, attempt)
    write_pictures(directory, [row["image"] for row in rows if row["image"] is not None])
    return rows


def program_name(key: Any) -> str:
    """Return a short name of a structure, equal in all processes."""
    text = re.sub(
        r" at 0x[0-9a-f]+", "", str(key)
    )  # addresses of functions differ between processes
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def make_row(task: Task, number: int, outcome: Outcome, program: str, attempt: int) -> Row:
    """Return the job's row of the table, with its picture and its history."""
    result = outcome.result
    row: Row = {"job": number, "job_id": task.job_id}
    status, error = _status_and_error(outcome)
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
    row |= {"weights_hash": task.weights_hash, "reference_hash": task.reference_hash}
    row |= {"version": fvjax.__version__, "attempt": attempt}
    row |= {"seconds": outcome.seconds, "compile_seconds": outcome.compile_seconds}
    row |= {"device": outcome.device, "program": program, "batch_size": outcome.batch_size}
    return row | {"image": _picture(outcome, number), "history": _history(outcome)}


def _status_and_error(outcome: Outcome) -> tuple[str, str | None]:
    """Return the job's status, with the error of a failed or diverged job."""
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


def _picture(outcome: Outcome, number: int) -> dict[str, Any] | None:
    if outcome.result is None or not np.all(np.isfinite(outcome.result.image)):
        return None
    pixels = np.round(np.asarray(outcome.result.image) * 255).astype(np.uint8)
    if pixels.ndim == 4:  # several images, side by side
        pixels = np.concatenate(list(pixels), 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return {"bytes": buffer.getvalue(), "path": f"{PICTURES}/{number}.png"}


def _history(outcome: Outcome) -> dict[str, np.ndarray] | None:
    """Return the values of each step by the measured quantity."""
    if outcome.result is None:
        return None
    return {name: np.asarray(values) for name, values in outcome.result.history.items()}
