"""The jobs of a plan on the workers of an engine."""

import logging
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.config.errors import Interrupted, UserError
from sweeps.execution.batch import Outcome
from sweeps.execution.engines.pulse import PULSE, pulse
from sweeps.execution.grouping import group_tasks, program_name
from sweeps.execution.interrupt import interruptible
from sweeps.execution.portions import Portion, Portions, Refused, batches_per_portion, cut
from sweeps.execution.programs import even_share, padded_size, round_up
from sweeps.execution.progress import plural, progress
from sweeps.execution.run import Row, write_batch
from sweeps.launcher.engines import WORKERS, devices_of_worker, start_engine
from sweeps.launcher.go_on import how_to_go_on
from sweeps.launcher.plan_sweep import SweepPlan
from sweeps.launcher.worker import WorkerSettings, begin

log = logging.getLogger(__name__)


def run_on_workers(
    launcher: Any, plan: SweepPlan, settings: Mapping[str, Any], report: Callable[[Row], None]
) -> str:
    """Run the jobs that are not finished, and return in a few words how.

    Args:
        launcher: the FusedLauncher.
        plan: the jobs.
        settings: the keys of the group `engine`.
        report: called with each job's row, of which only what Hydra is told is there.

    Raises:
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; what workers had in flight is on disk.
        UserError: a worker refused its jobs, or workers are lost again and again.
    """
    workers = Path(str(launcher.config.hydra.sweep.dir)).absolute() / WORKERS  # not at a URL
    shutil.rmtree(workers, ignore_errors=True)  # so that those of a dead driver stop
    folder = workers / uuid.uuid4().hex[:8]
    engine = start_engine(settings, folder)
    portions, programs = make_portions(launcher, plan, settings, engine.workers)
    worker = WorkerSettings.of(
        launcher.config,
        directory=str(plan.directory.absolute()),
        attempt=plan.attempt,
        checkpoint=launcher.checkpoint,
        pulse=str(folder / PULSE),
        devices=devices_of_worker(settings),
        on_cpu=not settings["gpus_per_worker"],
    )
    go_on = how_to_go_on(plan.directory)
    with interruptible(go_on) as interrupted, progress() as shown:
        steps = sum(plan.tasks[place].job.recipe.steps for place in plan.missing)
        shown.begin(plan.directory, len(plan.missing), programs, steps)
        waiting = Portions(deque(portions), interrupted)
        with pulse(folder / PULSE, interrupted):
            try:
                devices = _work_through(
                    plan, engine.run(partial(begin, worker), waiting), waiting, report
                )
            except Refused as error:
                raise UserError(f"{error}; {go_on}") from error
        if signal := interrupted():
            raise Interrupted(signal)
    shutil.rmtree(workers, ignore_errors=True)
    _warn_of_devices(plan, devices)
    return (
        f"{plural(programs, 'program')} on {plural(engine.workers, 'worker')} ({settings['name']})"
    )


def _work_through(plan: SweepPlan, events: Any, portions: Portions, report: Any) -> set[str]:
    """Report what is heard of the portions; return the devices of the good rows."""
    shown = progress()
    at_work: set[str] = set()
    devices: set[str] = set()
    with closing(events):
        shown.say("waiting for workers")
        for portion, event in events:
            (at_work.discard if event.is_last else at_work.add)(portion.name)
            rows, failed = portions.record(portion, event)
            if event.lost is not None:
                log.warning(f"a worker lost jobs, which go out again: {event.lost}")
            rows = [*rows, *_write_failed(plan, portion, failed)]
            shown.say(f"optimizing on {len(at_work)} workers" if at_work else "waiting for workers")
            shown.advance(sum(_task(plan, row).job.recipe.steps for row in rows))
            if rows:
                shown.end_jobs(row["status"] for row in rows)
            devices |= {row["device"] for row in rows if row["status"] == "ok"}
            for row in rows:
                report(row)
    return devices


def make_portions(
    launcher: Any, plan: SweepPlan, settings: Mapping[str, Any], workers: int
) -> tuple[list[Portion], int]:
    """Return the portions of the jobs that are not finished, and the number of their programs."""
    tasks = [plan.tasks[place] for place in plan.missing]
    groups = group_tasks(tasks)
    names = [program_name(group.signature) for group in groups]
    jobs: dict[str, int] = {}
    for group, name in zip(groups, names, strict=True):
        jobs[name] = max(jobs.get(name, 0), len(group.members))
    sizes = _batch_sizes(launcher, plan, settings, workers, jobs)
    batches = sum(-(-len(g.members) // sizes[n]) for g, n in zip(groups, names, strict=True))
    portions: list[Portion] = []
    for group, name in zip(groups, names, strict=True):
        members = [plan.missing[place] for place in group.members]
        for places in cut(members, sizes[name], batches_per_portion(batches, workers)):
            portions.append(
                Portion(
                    name=f"{len(portions):06d}",
                    overrides=[list(plan.overrides[place]) for place in places],
                    numbers=[plan.numbers[place] for place in places],
                    job_ids=[plan.tasks[place].job_id for place in places],
                    batch_size=sizes[name],
                )
            )
    return portions, len(jobs)


def _batch_sizes(
    launcher: Any,
    plan: SweepPlan,
    settings: Mapping[str, Any],
    workers: int,
    jobs: Mapping[str, int],
) -> dict[str, int]:
    """Return the jobs per batch of each program: those asked for, those of before, or a share."""
    devices = devices_of_worker(settings)
    former = {row["program"]: row["batch_size"] for row in plan.finished.values()}
    sizes = {}
    for name, count in jobs.items():
        share = even_share(-(-count // workers), devices, not settings["gpus_per_worker"])
        requested = padded_size(launcher.batch_size, len(plan.places))
        sizes[name] = round_up(requested or former.get(name) or share, devices)
        if former.get(name, sizes[name]) != sizes[name]:
            plan.warn_of_rounding(f"in batches of {former[name]}", f"in batches of {sizes[name]}")
    return sizes


def _write_failed(
    plan: SweepPlan, portion: Portion, failed: Sequence[tuple[str, str]]
) -> list[Row]:
    """Write the rows of jobs that no worker could run; return the rows."""
    rows = []
    for job_id, reason in failed:
        place = plan.places[job_id][0]
        name = program_name(group_tasks([plan.tasks[place]])[0].signature)
        outcome = Outcome(error=f"{reason} (twice)", batch_size=portion.batch_size)
        rows += write_batch(
            [(place, outcome)], plan.tasks, plan.numbers, name, plan.directory, plan.attempt
        )
    return rows


def _task(plan: SweepPlan, row: Row) -> Any:
    return plan.tasks[plan.places[row["job_id"]][0]]


def _warn_of_devices(plan: SweepPlan, devices: set[str]) -> None:
    """Warn where the rows of a directory come from different devices."""
    found = devices | plan.former_devices
    if len(found) > 1:
        log.warning(f"rows of {plan.directory} ran on {', '.join(sorted(found))}: rounding differs")
