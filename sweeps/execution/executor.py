"""Run groups of jobs: padded batches of one compiled program, sharded over the devices."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from fvjax.optimization.recipe import stack_jobs
from sweeps.execution.batch import Batch, Inputs, Outcome, Segment
from sweeps.execution.batched import JOBS, without_steps
from sweeps.execution.checkpoints import BatchIdentity, BatchRecord, Checkpoints
from sweeps.execution.grouping import Group, batches
from sweeps.execution.programs import Programs, TooLarge
from sweeps.execution.schedule import UNWATCHED, Schedule, Watch
from sweeps.task import Task

log = logging.getLogger(__name__)


class Executor(Programs):
    """Runs groups with the compiled programs that it keeps."""

    def execute(
        self,
        group: Group,
        tasks: Sequence[Task],
        batch_size: int | None = None,
        watch: Watch = UNWATCHED,
    ) -> Iterator[list[tuple[int, Outcome]]]:
        """Run a group batch by batch, and yield each batch's members with their outcomes.

        The first segments of the next batch are dispatched before the outcomes of a batch are
        yielded. If memory does not hold a batch, the batch size is reduced. After any other error
        the jobs of the batch run one by one, in batches of the same size, so that the error becomes
        the outcome of its job alone.

        Args:
            group: a group of `grouping.group_tasks`.
            tasks: all tasks of the sweep; `group.members` are places in them.
            batch_size: jobs per program; None leaves the choice to `batch_size_for`.
            watch: what is reported to, and what may stop the group.
        """
        if batch_size is not None and batch_size > 2 * len(group.members):
            log.warning(
                f"a group of {len(group.members)} jobs is padded to the batch of {batch_size}"
            )
        size = self.batch_size_for(group, batch_size)
        schedule = Schedule(deque(_batches(group, tasks, size, watch.checkpoints)))
        while schedule.goes_on(watch):
            members = schedule.choose()
            try:
                begin = partial(self._begin, group, members, tasks, size, watch)
                outcomes = self._advance(schedule, watch, begin)
            except Exception as error:
                smaller = self._smaller(error, size)
                if smaller < size:
                    self.forget(group, size)
                    size = smaller
                    schedule.repeat(members, size)
                    continue
                schedule.drop(members)
                if len(members) > 1:
                    reason = summarize_error(error)
                    log.warning(f"{len(members)} jobs of a batch run again one by one: {reason}")
                    schedule.pending.extendleft((member,) for member in reversed(members))
                    continue
                outcomes = [Outcome(error=summarize_error(error), batch_size=size)]
            if outcomes is None:
                continue
            yield list(zip(members, outcomes, strict=True))
            if watch.checkpoints is not None:  # by now the rows are written
                watch.checkpoints.discard(_job_ids(members, tasks), size)

    def _advance(
        self, schedule: Schedule, watch: Watch, begin: Callable[[], Batch]
    ) -> list[Outcome] | None:
        """Dispatch or collect a segment of a batch; return its outcomes after the last one."""
        if schedule.dispatches:
            if schedule.batch is None:
                schedule.batch = begin()
            schedule.in_flight.append(schedule.batch.dispatch())
            schedule.batch = schedule.batch if schedule.batch.remaining else None
            return None
        return self._collect(schedule.in_flight.popleft(), schedule, watch)

    def _smaller(self, error: Exception, size: int) -> int:
        """Return a smaller batch size if the error reports a lack of memory, else the same size."""
        if "RESOURCE_EXHAUSTED" not in str(error) or size == 1:
            return size
        fitting = error.fitting if isinstance(error, TooLarge) else size // 2
        devices = len(self.devices)
        return max(fitting // devices * devices, min(fitting, devices), 1)

    def _begin(
        self,
        group: Group,
        members: tuple[int, ...],
        tasks: Sequence[Task],
        size: int,
        watch: Watch,
    ) -> Batch:
        """Put a batch on the devices, padded to the batch size by repeating its last job."""
        started_at = time.perf_counter()
        self.prepare(group, tasks, size)
        futures = self.programs[group.signature, size]
        all_compiled = all(program.done() for program in futures)
        watch.announce("optimizing" if all_compiled else "compiling")
        programs = [program.result() for program in futures]
        watch.announce("optimizing")
        compile_wait = 0.0 if all_compiled else time.perf_counter() - started_at
        own = [tasks[m] for m in members]
        padded = own + [own[-1]] * (size - len(own))
        mesh = self._mesh(size)
        stacked = stack_jobs([(without_steps(task.job), task.job_inputs) for task in padded])
        split, everywhere = NamedSharding(mesh, JOBS), NamedSharding(mesh, PartitionSpec())
        jobs, job_inputs = jax.device_put(stacked, split)
        shared = jax.device_put((group.model, group.shared_inputs), everywhere)
        shapes = self.states[group.signature, size]
        record, identity, every = None, None, None
        if watch.checkpoints is not None:
            used = list(mesh.devices.flat)
            values = (stacked[0], np.int32(group.steps))
            job_ids = _job_ids(members, tasks)
            identity = BatchIdentity.of(job_ids, size, used, group.model, values)
            record, every = watch.checkpoints.load(identity, shapes), watch.checkpoints.every
        if record is None:
            record = BatchRecord(tuple(np.zeros(x.shape, x.dtype) for x in shapes))
        watch.advance(len(members) * max(record.step, 0))
        record.states = jax.device_put(record.states, split)
        inputs = Inputs(shared[0], shared[1], jobs, job_inputs)
        return Batch(members, own, programs, inputs, record, identity, every, compile_wait)

    @property
    def device(self) -> str:
        """The kind of the devices, and their number if there are several: `2 x cpu`."""
        kind = self.devices[0].device_kind
        return kind if len(self.devices) == 1 else f"{len(self.devices)} x {kind}"

    def _collect(self, segment: Segment, schedule: Schedule, watch: Watch) -> list[Outcome] | None:
        """Wait for a segment; return the outcomes of its batch if it was the last one."""
        batch, kept = segment.batch, watch.checkpoints
        watch.advance(len(batch.members) * batch.collect(segment))
        now = time.perf_counter()
        schedule.seconds_per_segment = now - max(segment.dispatched_at, schedule.segment_end)
        schedule.segment_end = now
        if segment.last > batch.steps:
            seconds, schedule.batch_end = now - max(batch.started_at, schedule.batch_end), now
            return batch.outcomes(segment, seconds, self.device)
        is_due = batch.every is not None and segment.last % batch.every == 0
        if kept is not None and batch.identity is not None and (is_due or schedule.stops):
            kept.save(batch.identity, batch.record)
        return None


def _batches(
    group: Group, tasks: Sequence[Task], size: int, checkpoints: Checkpoints | None
) -> list[tuple[int, ...]]:
    """Return the batches of a group; first those of which checkpoints are kept."""
    place_of = {tasks[m].job_id: m for m in group.members}
    kept = [] if checkpoints is None else checkpoints.batches(place_of, size)
    taken = {m for members in kept for m in members}
    return kept + batches([m for m in group.members if m not in taken], size)


def _job_ids(members: Sequence[int], tasks: Sequence[Task]) -> tuple[str, ...]:
    return tuple(tasks[m].job_id for m in members)


def summarize_error(error: Exception) -> str:
    """Return an error in one line: the first, or the last if the first announces a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0].endswith("Traceback (most recent call last):") else lines[0]
    return f"{type(error).__name__}: {line}".removesuffix(": ")
