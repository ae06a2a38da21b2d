"""A multirun: run the planned jobs fused, and return each to Hydra as an ordinary job."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.utils import JobReturn, configure_log, filter_overrides

from sweeps.config.engine import engine_settings
from sweeps.execution.checkpoints import Checkpoints
from sweeps.execution.programs import padded_size
from sweeps.execution.progress import plural
from sweeps.execution.reference_pictures import keep_reference_pictures
from sweeps.execution.run import Row, executor, run
from sweeps.launcher.go_on import how_to_go_on
from sweeps.launcher.job_return import Replay, make_job_return
from sweeps.launcher.on_workers import run_on_workers
from sweeps.launcher.plan_sweep import SweepPlan, compose_job
from sweeps.launcher.record_job import record_job
from sweeps.results.status import BAD

log = logging.getLogger(__name__)

_MOST_NAMED = 20  # failed or diverged jobs that a warning names


def launch(launcher: Any, plan: SweepPlan) -> list[JobReturn]:
    """Run the jobs of a plan that are not finished; return one JobReturn per job, in order.

    Args:
        launcher: the FusedLauncher.
        plan: the jobs.
    """
    returns: dict[int, JobReturn] = {}
    rows: dict[int, Row] = {}

    def report(row: Row) -> None:
        for place in plan.places[row["job_id"]]:
            rows[place] = row
            returns[place] = _return_job(launcher, plan, place, row)

    for job_id in plan.places:
        if job_id in plan.finished:
            report(plan.finished[job_id])
    how = _run_missing(launcher, plan, report)
    keep_reference_pictures(plan.directory, plan.tasks, plan.numbers)
    jobs, missing = len(plan.places), len(plan.missing)
    log.info(
        f"{plural(jobs, 'job')}: {missing} run, {jobs - missing} finished before; {how}"
        + (f"; the table holds {plan.others} rows of other jobs" if plan.others else "")
    )
    order = range(len(plan.tasks))
    _warn([returns[place] for place in order], [rows[place] for place in order])
    return [returns[place] for place in order]


def _run_missing(launcher: Any, plan: SweepPlan, report: Callable[[Row], None]) -> str:
    """Run the jobs that are not finished, and return in a few words how."""
    settings = engine_settings(launcher.config)
    if plan.missing and settings["name"] != "inline":
        return run_on_workers(launcher, plan, settings, report)
    programs_before = executor().program_count
    _run_here(launcher, plan, report)
    return f"{plural(executor().program_count - programs_before, 'program')} compiled"


def _run_here(launcher: Any, plan: SweepPlan, report: Callable[[Row], None]) -> None:
    """Run the jobs that are not finished, with the batch sizes of those that are."""
    finished = plan.finished.values()
    former = sorted({row["batch_size"] for row in finished})
    size = _choose_batch_size(launcher.batch_size, max(len(plan.places), *former, 0))
    if plan.missing and size is not None and former not in ([], [size]):
        sizes = ", ".join(map(str, former))
        plan.warn_of_rounding(f"in batches of {sizes}", f"in batches of {size}")
    devices = plan.former_devices - {executor().device}
    if plan.missing and devices:
        plan.warn_of_rounding(f"on {', '.join(sorted(devices))}", f"on {executor().device}")
    for rows in run(
        [plan.tasks[place] for place in plan.missing],
        [plan.numbers[place] for place in plan.missing],
        plan.directory,
        size,
        {row["program"]: row["batch_size"] for row in finished},
        Checkpoints(plan.directory, launcher.checkpoint),
        plan.attempt,
        how_to_go_on(plan.directory),
    ):
        for row in rows:
            report(row)


def _return_job(launcher: Any, plan: SweepPlan, place: int, row: Row) -> JobReturn:
    """Return a job that has run to Hydra, with its directory if it has one."""
    overrides, metric = plan.overrides[place], plan.tasks[place].optimized_metric
    if not launcher.job_dirs:
        return make_job_return(overrides, row, metric)
    config = compose_job(launcher, overrides, plan.numbers[place])
    job_return = record_job(launcher.context, config, Replay(launcher.task, row, metric))
    hydra = launcher.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)  # the job's logging is over
    return job_return


def _choose_batch_size(requested: int | None, jobs: int) -> int | None:
    """Return the batch size that is run for the requested size: an even share for each device.

    Args:
        requested: `hydra.launcher.batch_size`; None leaves the choice to the executor.
        jobs: the number of jobs, or the largest batch that ran before.
    """
    padded = padded_size(requested, jobs)
    if padded is None:
        return None
    size = executor().round_up(padded)
    if size != requested:
        devices = len(executor().devices)
        log.info(f"batches of {size}, not {requested}: {jobs} jobs on {devices} devices")
    return size


def _warn(returns: Sequence[JobReturn], rows: Sequence[Row]) -> None:
    """Log a warning for each job that failed or diverged, with its error."""
    bad = [place for place, row in enumerate(rows) if row["status"] in BAD]
    for place in bad[:_MOST_NAMED]:
        row = rows[place]
        overrides = " ".join(filter_overrides(returns[place].overrides or []))
        error = f": {row['error']}" if row["error"] else ""
        log.warning(f"job {row['job']} {row['status']} ({overrides}){error}")
    if len(bad) > _MOST_NAMED:
        log.warning(f"and {len(bad) - _MOST_NAMED} more jobs failed or diverged")
