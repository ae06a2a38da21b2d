"""Run tasks and write their rows, histories and images, independently of Hydra."""

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

import fvjax
from fvjax.reference.distances import standardize_projection
from sweeps.config.errors import Interrupted
from sweeps.execution.batch import Outcome
from sweeps.execution.checkpoints import Checkpoints
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import describe, group_tasks, program_name
from sweeps.execution.interrupt import interruptible
from sweeps.execution.progress import progress
from sweeps.execution.schedule import Watch
from sweeps.execution.status import status_of
from sweeps.results.pictures import PICTURES, write_pictures
from sweeps.results.table import METRICS, write_part
from sweeps.storage.location import Location
from sweeps.task import Task

Row = dict[str, Any]
_OPAQUE = 80  # percentile of a picture's transparency from which its pixels are opaque


@cache
def executor() -> Executor:
    """Return the process's executor, whose compiled programs serve every sweep."""
    return Executor()


def run(
    tasks: Sequence[Task],
    numbers: Sequence[int],
    directory: Location,
    batch_size: int | None = None,
    batch_size_of: Mapping[str, int] | None = None,
    checkpoints: Checkpoints | None = None,
    attempt: int = 1,
    go_on: str = "",
    stopped: Callable[[], int] = lambda: 0,
) -> Iterator[list[Row]]:
    """Run the tasks; yield the rows of each batch after they are written.

    Args:
        tasks: the tasks.
        numbers: the tasks' job numbers.
        directory: the directory of the sweep or run.
        batch_size: jobs per program; None leaves the choice to the executor.
        batch_size_of: batch sizes of programs that ran before, by name: a resumed sweep repeats
            the same sums.
        checkpoints: where the progress of batches is kept, of a sweep that can be resumed.
        attempt: the number of this start of the sweep.
        go_on: what is printed when a second signal ends the process.
        stopped: returns the number of a signal as if it had come, 0 if there is none.

    Raises:
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; the batches that were in flight are on disk: as
            checkpoints if there are any, else as rows that are yielded.
        OSError: rows cannot be written.
    """
    groups = group_tasks(tasks)
    names = [program_name(group.signature) for group in groups]
    with interruptible(go_on) as signalled, progress() as shown:

        def interrupted() -> int:
            return signalled() or stopped()

        programs = list(dict.fromkeys(names))
        steps = sum(task.job.recipe.steps for task in tasks)
        shown.begin(directory, len(tasks), len(programs), steps)
        wanted = [
            batch_size if batch_size is not None else (batch_size_of or {}).get(name)
            for name in names
        ]
        kinds = describe(groups, tasks)
        watch = Watch(shown.announce, shown.advance, interrupted, checkpoints)
        for place, (group, name) in enumerate(zip(groups, names, strict=True)):
            if signal := interrupted():  # between two groups nothing is in flight
                raise Interrupted(signal)
            for near in range(place, min(place + 2, len(groups))):  # the next compiles meanwhile
                executor().prepare(groups[near], tasks, wanted[near])
            number = programs.index(name) + 1
            shown.use_program(f"program {number} of {len(programs)}: {kinds[place]}")
            for ended in executor().execute(group, tasks, wanted[place], watch):
                rows = write_batch(ended, tasks, numbers, name, directory, attempt)
                shown.end_jobs(row["status"] for row in rows)
                yield rows
        if signal := interrupted():
            raise Interrupted(signal)


def write_batch(
    ended: Sequence[tuple[int, Outcome]],
    tasks: Sequence[Task],
    numbers: Sequence[int],
    program: str,
    directory: Location,
    attempt: int,
) -> list[Row]:
    """Write the rows, histories and images of a batch; return the rows."""
    rows = [make_row(tasks[i], numbers[i], outcome, program, attempt) for i, outcome in ended]
    write_part(directory, rows, attempt)
    pictures = [row["image"] for row in rows if row["image"] is not None]
    snapshots = [one for row in rows for one in row["snapshot_images"] or ()]
    write_pictures(directory, pictures + snapshots)
    return rows


def make_row(task: Task, number: int, outcome: Outcome, program: str, attempt: int) -> Row:
    """Return the job's row of the table, with its pictures and its history."""
    result = outcome.result
    row: Row = {"job": number, "job_id": task.job_id, "status": "failed", "error": outcome.error}
    row |= task.columns
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
    row["status"], row["error"] = status_of(task, outcome, row)
    row |= {"weights_hash": task.weights_hash, "reference_hash": task.reference_hash}
    row |= {"version": fvjax.__version__, "attempt": attempt}
    row |= {"seconds": outcome.seconds, "compile_seconds": outcome.compile_seconds}
    row |= {"device": outcome.device, "program": program, "batch_size": outcome.batch_size}
    row["steps_run"] = None if result is None else int(result.steps_run)
    return row | _pictures(task, outcome, number) | {"history": _history(outcome)}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return value
    return float(value) if math.isfinite(value) else None


def _pictures(task: Task, outcome: Outcome, number: int) -> Row:
    """Return the columns of the final image and of the snapshots."""
    result = outcome.result
    if result is None:
        return {"image": None, "snapshot_images": None}
    snapshots = [
        {"step": step} | picture
        for step, image in zip(task.job.recipe.snapshots, result.snapshots, strict=False)
        if (picture := _picture(image, f"{number}-step{step}")) is not None
    ]
    image = _with_opacity(result.image, result.transparency)
    return {"image": _picture(image, str(number)), "snapshot_images": snapshots or None}


def _with_opacity(image: Any, transparency: Any) -> Any:
    """Return the image with its opacity: the transparency over its 80th percentile, at most 1.

    As Xplique's `plot_maco` draws MACO's pictures (Fel et al. 2023, arXiv:2306.06805).
    """
    if transparency is None:
        return image
    total = np.asarray(transparency)
    most = np.percentile(total, _OPAQUE, axis=(-2, -1), keepdims=True)
    alpha = np.minimum(total / np.where(most > 0, most, 1), 1)
    return np.concatenate([np.asarray(image), alpha[..., None]], -1)


def _picture(image: Any, name: str) -> Row | None:
    if not np.all(np.isfinite(image)):
        return None
    pixels = np.round(np.asarray(image) * 255).astype(np.uint8)
    if pixels.ndim == 4:  # several images, side by side
        pixels = np.concatenate(list(pixels), 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return {"bytes": buffer.getvalue(), "path": f"{PICTURES}/{name}.png"}


def _history(outcome: Outcome) -> dict[str, np.ndarray] | None:
    """Return the values of each step by the measured quantity."""
    if outcome.result is None:
        return None
    return {name: np.asarray(values) for name, values in outcome.result.history.items()}
