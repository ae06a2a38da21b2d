"""A multirun: plan all jobs, run them fused, and hand each back to Hydra as an ordinary job."""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import (
    JobReturn,
    configure_log,
    filter_overrides,
    run_job,
    setup_globals,
)
from omegaconf import DictConfig, open_dict

from fvjax import checks
from sweeps.build import Task
from sweeps.check import build_all, discard
from sweeps.finish import finish
from sweeps.run import Row, executor, run
from sweeps.table import holds_results, load

log = logging.getLogger(__name__)

_MOST_NAMED = 20  # jobs that did not come through
_BAD = ("failed", "diverged")


class Replay:
    """The task of a job that has run: returns its headline metric or raises its error.

    Pickles as the task itself, so that Hydra's rerun of a pickled job computes.
    """

    def __init__(self, task: Any, row: Row, headline: str) -> None:
        """Take the job's row."""
        self.task, self.row, self.headline = task, row, headline

    def __call__(self, config: DictConfig) -> float:
        """What the job returns to Hydra."""
        return headline_of(self.row, self.headline)

    def __reduce__(self) -> Any:
        """Be the original task again."""
        return _itself, (self.task,)


def _itself(task: Any) -> Any:
    return task


def headline_of(row: Row, headline: str) -> float:
    """The metric that a sweeper sees; NaN where it is null.

    Raises:
        RuntimeError: the job failed or diverged. (NaN instead would end an Optuna study; a failed
            trial does not.)
    """
    if row["status"] in _BAD:
        raise RuntimeError(row["error"] or f"the job {row['status']}")
    value = row.get(headline)
    return float("nan") if value is None else float(value)


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run a multirun's jobs; one return per job, in order. `launcher` is a FusedLauncher.

    Raises:
        ValueError: the mistakes of all jobs that planning finds, before anything is compiled or
            written.
    """
    setup_globals()
    config = launcher.config
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    directory = Path(str(config.hydra.sweep.dir))
    try:
        if launcher.chunk is not None:
            checks.count("hydra.launcher.chunk", launcher.chunk)
        known = _known(directory, launcher.resume, first)
        configs = [_compose(launcher, o, first + i) for i, o in enumerate(job_overrides)]
        tasks = build_all(configs, job_overrides)
    except ValueError:
        discard(directory)
        raise
    numbers = _numbers(tasks, known, first)
    done = {job_id: row for job_id, row in known.items() if row["status"] != "failed"}
    returns: dict[int, JobReturn] = {}
    rows: dict[int, Row] = {}

    def report(place: int, row: Row) -> None:
        composed = _compose(launcher, job_overrides[place], numbers[place])
        rows[place] = row
        returns[place] = run_job(
            hydra_context=launcher.context,
            task_function=Replay(launcher.task, row, tasks[place].headline),
            config=composed,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)

    missing = [place for place, task in enumerate(tasks) if task.job_id not in done]
    for place, task in enumerate(tasks):
        if task.job_id in done:
            report(place, done[task.job_id])
    before = executor().compiled
    try:
        run(
            [tasks[place] for place in missing],
            [numbers[place] for place in missing],
            directory,
            launcher.chunk,
            {row["program"]: row["chunk"] for row in done.values()},
            lambda place, row: report(missing[place], row),
        )
    finally:
        finish(directory)
    log.info(
        f"{len(tasks)} jobs: {len(missing)} run, {len(tasks) - len(missing)} there before; "
        f"{executor().compiled - before} programs compiled"
    )
    ended = [returns[i] for i in range(len(tasks))]
    _warn(ended, [rows[i] for i in range(len(tasks))])
    return ended


def _compose(launcher: Any, overrides: Sequence[str], number: int) -> DictConfig:
    loader = launcher.context.config_loader
    config: DictConfig = loader.load_sweep_config(launcher.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id, config.hydra.job.num = str(number), number
    return config


def _known(directory: Path, resume: bool, first: int) -> dict[str, Row]:
    """Rows that the directory holds already, by job id; none where a later batch begins."""
    if not holds_results(directory) or (first > 0 and not resume):
        return {}
    if not resume:
        raise ValueError(
            f"{directory} holds the results of a sweep: add hydra.launcher.resume=true to run what "
            "is missing or failed, or choose another hydra.sweep.dir"
        )
    rows = load(directory).replace({float("nan"): None}).to_dict("records")
    return {str(row["job_id"]): {str(k): v for k, v in row.items()} for row in rows}


def _numbers(tasks: Sequence[Task], known: dict[str, Row], first: int) -> list[int]:
    """A known job keeps its number; new ones take free numbers in order."""
    taken = {int(row["job"]) for row in known.values()}
    free = (number for number in itertools.count(first) if number not in taken)
    return [int(known[t.job_id]["job"]) if t.job_id in known else next(free) for t in tasks]


def _warn(returns: Sequence[JobReturn], rows: Sequence[Row]) -> None:
    """Name the jobs that did not come through, each with what became of it."""
    bad = [i for i, row in enumerate(rows) if row["status"] in _BAD]
    for i in bad[:_MOST_NAMED]:
        names = " ".join(filter_overrides(returns[i].overrides or []))
        why = f": {rows[i]['error']}" if rows[i]["error"] else ""
        log.warning(f"job {rows[i]['job']} {rows[i]['status']} ({names}){why}")
    if len(bad) > _MOST_NAMED:
        log.warning(f"and {len(bad) - _MOST_NAMED} more that did not come through")
