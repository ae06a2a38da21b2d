"""A sweep that starts from Python, on a network in memory or on any option of `model`."""

from collections.abc import Sequence

import pandas as pd

from fvjax.models.model import Model
from sweeps.config.engine import refuse_workers
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.execution.jax_setup import cache_programs
from sweeps.execution.progress import progress
from sweeps.execution.run import run as run_tasks
from sweeps.planning.in_memory import register
from sweeps.planning.plan import build_all
from sweeps.results.table import consolidate, holds_results
from sweeps.storage.directory_lock import acquire, release_all, require_lock
from sweeps.storage.location import Location, check_writable, locate
from sweeps.task import Task


def run(
    overrides: Sequence[str],
    *,
    model: Model | None = None,
    directory: str | Location | None = None,
    batch_size: int | None = None,
) -> pd.DataFrame:
    """Run a sweep and return its table.

    Args:
        overrides: what follows `python -m sweeps -m` on the command line, such as
            `["objective=dot,cosine", "seed=0,1"]`.
        model: a network in memory, in place of the option `model`.
        directory: where the table, the history and the pictures are written, a path or a URL such
            as s3://bucket/sweep; the folder multirun/DATE/TIME of the working directory if None.
        batch_size: jobs that run at once; a fitting number if None.

    Raises:
        ValueError: the mistakes of all jobs, before anything is compiled or written; a directory
            that holds results or that another process writes.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the rows of finished batches are on disk.
        OSError: rows cannot be written.
    """
    with progress() as shown, release_all():
        shown.say("planning")
        chosen = [] if model is None else ["model=memory", f"model.key='{register(model)}'"]
        if directory is not None:
            check_writable(locate(directory))
        cache_programs()
        jobs = jobs_of([*chosen, *overrides])
        refuse_workers(jobs.master, "sweeps.run runs jobs in its own process")
        tasks = _distinct(build_all(jobs.configs, jobs.overrides))
        folder = locate(str(jobs.master.hydra.sweep.dir) if directory is None else directory)
        acquire(folder)
        if holds_results(folder):
            raise ValueError(f"{folder} holds results already: choose another directory")
        try:
            for _ in run_tasks(tasks, range(len(tasks)), folder, batch_size):
                pass  # the rows are on disk
            require_lock(folder)
            return consolidate(folder)
        except (KeyboardInterrupt, OSError) as error:
            error.add_note(f"sweeps.load({str(folder)!r}) reads the rows of the jobs that are done")
            raise


def _distinct(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks without duplicates, in order."""
    return list({task.job_id: task for task in tasks}.values())
