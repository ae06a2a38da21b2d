"""A multirun: plan all jobs, run them fused, and hand each back to Hydra as an ordinary job."""

import itertools
import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
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
from sweeps.config.enumerate_jobs import attempt
from sweeps.config.job_id import VERSION
from sweeps.execution.reference_pictures import keep_reference_pictures
from sweeps.execution.run import Row, executor, run
from sweeps.launcher.finish import finish_with_report
from sweeps.launcher.job_return import BAD, Replay, returned
from sweeps.planning.plan import build_all
from sweeps.results.table import holds_results, load
from sweeps.storage.directory_lock import acquire
from sweeps.task import Task

log = logging.getLogger(__name__)

_MOST_PADDED = 1024  # jobs in a batch, up to which fewer are padded
_MOST_NAMED = 20  # jobs that did not come through


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run a multirun's jobs; one return per job, in order. `launcher` is a FusedLauncher.

    Raises:
        ValueError: the mistakes of all jobs that planning finds, before anything is compiled or
            written; another process at work in the directory.
    """
    setup_globals()
    config = launcher.config
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    directory = Path(str(config.hydra.sweep.dir))
    acquire(directory)
    if not job_overrides:  # Hydra's own sweeper makes none of `range(0,0)`
        raise ValueError("the sweep has no jobs")
    if launcher.batch_size is not None:
        checks.count("hydra.launcher.batch_size", launcher.batch_size)
    checks.boolean("hydra.launcher.job_dirs", launcher.job_dirs)
    known, taken = _known(directory)
    numbered = enumerate(job_overrides, first)
    configs = [attempt(_compose, launcher, one, number) for number, one in numbered]
    tasks = build_all(configs, job_overrides)
    acquire(directory, finish_with_report)
    numbers = _numbers(tasks, known, taken, first)
    done = {job_id: row for job_id, row in known.items() if row["status"] != "failed"}
    places: dict[str, list[int]] = {}  # equal jobs run once
    for place, task in enumerate(tasks):
        places.setdefault(task.job_id, []).append(place)
    returns: dict[int, JobReturn] = {}
    rows: dict[int, Row] = {}

    def report(place: int, row: Row) -> None:
        rows[place] = row
        if not launcher.job_dirs:
            returns[place] = returned(job_overrides[place], row, tasks[place].optimized_metric)
            return
        composed = _compose(launcher, job_overrides[place], numbers[place])
        returns[place] = run_job(
            hydra_context=launcher.context,
            task_function=Replay(launcher.task, row, tasks[place].optimized_metric),
            config=composed,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)

    def report_all(row: Row) -> None:
        for place in places[row["job_id"]]:
            report(place, row)

    missing = [same[0] for job_id, same in places.items() if job_id not in done]
    for job_id in places:
        if job_id in done:
            report_all(done[job_id])
    batch_size = _batch_size(
        launcher.batch_size, [len(places), *(row["batch_size"] for row in done.values())]
    )
    before = executor().compiled
    try:
        run(
            [tasks[place] for place in missing],
            [numbers[place] for place in missing],
            directory,
            batch_size,
            {row["program"]: row["batch_size"] for row in done.values()},
            report_all,
        )
    except KeyboardInterrupt:
        if len(returns) < len(tasks):
            log.warning(f"interrupted; to go on: {_again(directory)}")
        raise
    keep_reference_pictures(directory, tasks, numbers)
    log.info(
        f"{len(places)} jobs: {len(missing)} run, {len(places) - len(missing)} there before; "
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


def _batch_size(wanted: int | None, jobs: Sequence[int]) -> int | None:
    """Return the batch size that is run for the wanted one: shared evenly by the devices.

    Few jobs are padded to it, so that one job alone is what it was in a sweep, bit for bit. A batch
    size far beyond any sweep's is no larger than the sweep, or than a batch that ran before.
    """
    if wanted is None:
        return None
    batch_size = executor().shared(wanted if wanted <= _MOST_PADDED else min(wanted, max(jobs)))
    if batch_size != wanted:
        many = len(executor().devices)
        log.info(f"batches of {batch_size}, not {wanted}: {max(jobs)} jobs on {many} devices")
    return batch_size


def _again(directory: Path) -> str:
    """The command that goes on with the sweep of this process."""
    more = [f"hydra.sweep.dir={directory}", "hydra.launcher.resume=true"]
    keys = {one.partition("=")[0] for one in more}
    given = [one for one in sys.argv[1:] if one.partition("=")[0] not in keys]
    return shlex.join(["python", "-m", "sweeps", *given, *more])


def _known(directory: Path) -> tuple[dict[str, Row], set[int]]:
    """Rows that the directory holds already, by job id, and the numbers that are taken."""
    if not holds_results(directory):
        return {}, set()
    rows = load(directory).replace({float("nan"): None}).to_dict("records")
    old = [row["job_id"] for row in rows if not str(row["job_id"]).startswith(f"{VERSION}-")]
    if old:
        raise ValueError(
            f"{directory} holds results of an older version of fvjax, whose job ids differ: choose "
            "another hydra.sweep.dir (sweeps.load reads the old table)"
        )
    known = {str(row["job_id"]): {str(k): v for k, v in row.items()} for row in rows}
    return known, {int(row["job"]) for row in rows}


def _numbers(
    tasks: Sequence[Task], known: Mapping[str, Row], taken: set[int], first: int
) -> list[int]:
    """A known job keeps its number; new ones take free numbers in order, equal ones the same."""
    free = (number for number in itertools.count(first) if number not in taken)
    numbers = {job_id: int(row["job"]) for job_id, row in known.items()}
    return [
        numbers[t.job_id] if t.job_id in numbers else numbers.setdefault(t.job_id, next(free))
        for t in tasks
    ]


def _warn(returns: Sequence[JobReturn], rows: Sequence[Row]) -> None:
    """Name the jobs that did not come through, each with what became of it."""
    bad = [i for i, row in enumerate(rows) if row["status"] in BAD]
    for i in bad[:_MOST_NAMED]:
        names = " ".join(filter_overrides(returns[i].overrides or []))
        why = f": {rows[i]['error']}" if rows[i]["error"] else ""
        log.warning(f"job {rows[i]['job']} {rows[i]['status']} ({names}){why}")
    if len(bad) > _MOST_NAMED:
        log.warning(f"and {len(bad) - _MOST_NAMED} more that did not come through")
