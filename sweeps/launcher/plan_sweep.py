"""The plan of a multirun: everything that can be refused is refused before anything is written."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from hydra.core.utils import configure_log, setup_globals
from omegaconf import DictConfig, open_dict

from fvjax import checks
from sweeps.config.enumerate_jobs import attempt
from sweeps.config.paths import directory_key, results_directory
from sweeps.execution.progress import plural, progress
from sweeps.execution.run import Row
from sweeps.launcher.callbacks import keep_command
from sweeps.launcher.finish import finish
from sweeps.launcher.resume import Recorded, check_recorded, recorded_rows
from sweeps.planning.plan import build_all
from sweeps.results.parts import holds_results, set_aside
from sweeps.storage.directory_lock import acquire
from sweeps.storage.location import Location
from sweeps.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepPlan:
    """The jobs of one multirun and the rows that its directory holds already.

    Attributes:
        directory: the directory of the sweep, which this process has locked, unless the plan is
            only shown.
        overrides: the overrides of each job.
        tasks: the task of each job.
        numbers: the job number of each job; equal jobs share a number.
        finished: rows of jobs that are not run again, by job id.
        others: the number of rows that the directory holds of other jobs.
        attempt: the number of this start of the sweep.
    """

    directory: Location
    overrides: Sequence[Sequence[str]]
    tasks: Sequence[Task]
    numbers: Sequence[int]
    finished: Mapping[str, Row]
    others: int
    attempt: int

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Return the places of the jobs by job id: equal jobs run once."""
        places: dict[str, list[int]] = {}
        for place, task in enumerate(self.tasks):
            places.setdefault(task.job_id, []).append(place)
        return places

    @cached_property
    def missing(self) -> list[int]:
        """Return the first place of each job id that has no finished row."""
        return [places[0] for job_id, places in self.places.items() if job_id not in self.finished]

    @property
    def former_devices(self) -> set[str]:
        """Return the devices of the finished rows that are ok."""
        return {row["device"] for row in self.finished.values() if row["status"] == "ok"}

    def warn_of_rounding(self, before: str, now: str) -> None:
        """Warn that the finished rows ran in another way than the rest will: `on 2 x cpu`."""
        log.warning(
            f"rows of {self.directory} ran {before}, and the rest runs {now}: rounding differs"
        )


def plan_sweep(launcher: Any, job_overrides: Sequence[Sequence[str]], first: int) -> SweepPlan:
    """Plan all jobs, then lock the sweep's directory unless the plan is only shown.

    Args:
        launcher: the FusedLauncher.
        job_overrides: the overrides of each job.
        first: the number of the first job.

    Raises:
        ValueError: planning found mistakes, and the message names those of all jobs; another
            process holds the directory or has just written results into it; the directory holds
            results of an older version, of other weights, reference images or defaults.
    """
    setup_globals()
    config = launcher.config
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    if not job_overrides:  # Hydra's own sweeper makes no jobs of `range(0,0)`
        raise ValueError("the sweep has no jobs")
    if launcher.batch_size is not None:
        checks.count("hydra.launcher.batch_size", launcher.batch_size)
    if launcher.checkpoint is not None:
        checks.count("hydra.launcher.checkpoint", launcher.checkpoint)
    checks.boolean("hydra.launcher.job_dirs", launcher.job_dirs)
    checks.boolean("hydra.launcher.plan_only", launcher.plan_only)
    directory = results_directory(config.hydra)
    progress().say(f"planning {plural(len(job_overrides), 'job')}")
    held, recorded = holds_results(directory), recorded_rows(directory)
    compose = partial(launcher.context.config_loader.compose, config)
    configs = (attempt(compose, overrides) for overrides in job_overrides)  # one at a time
    tasks = build_all(configs, job_overrides)
    check_recorded(directory, recorded.rows, tasks)
    if not launcher.plan_only:
        _claim(config, directory, held, recorded)
    return SweepPlan(
        directory=directory,
        overrides=job_overrides,
        tasks=tasks,
        numbers=_number_jobs(tasks, recorded.rows, first),
        finished={key: row for key, row in recorded.rows.items() if row["status"] != "failed"},
        others=len(recorded.rows.keys() - {task.job_id for task in tasks}),
        attempt=recorded.attempt + 1,
    )


def _claim(config: DictConfig, directory: Location, held: bool, recorded: Recorded) -> None:
    """Lock the directory, unless it has changed since it was read, and set bad files aside."""
    acquire(directory, finish)
    keep_command(config, directory)
    if holds_results(directory) != held:
        raise ValueError(
            f"another sweep wrote its results into {directory} while this one was planned: choose "
            f"another {directory_key(directory)}"
        )
    set_aside(directory, recorded.bad)


def compose_job(launcher: Any, overrides: Sequence[str], number: int) -> DictConfig:
    """Compose the config of one job, with its number in `hydra.job`."""
    loader = launcher.context.config_loader
    config: DictConfig = loader.load_sweep_config(launcher.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id, config.hydra.job.num = str(number), number
    return config


def _number_jobs(tasks: Sequence[Task], recorded: Mapping[str, Row], first: int) -> list[int]:
    """Return the job numbers: a recorded job keeps its own, a new job gets the next free one."""
    numbers = {job_id: int(row["job"]) for job_id, row in recorded.items()}
    taken = set(numbers.values())
    free = (number for number in itertools.count(first) if number not in taken)
    for task in tasks:
        if task.job_id not in numbers:
            numbers[task.job_id] = next(free)
    return [numbers[task.job_id] for task in tasks]
