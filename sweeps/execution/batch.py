"""A batch: jobs that one program advances together, segment by segment."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from fvjax.optimization.result import Result
from sweeps.execution.batched import without_objective
from sweeps.execution.checkpoints import BatchIdentity, BatchRecord
from sweeps.execution.segments import segment_bounds
from sweeps.task import Task


@dataclass
class Outcome:
    """The result of one job, or its error."""

    result: Result | None = None  # on the host
    metrics: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0  # the batch's, divided by its jobs
    compile_seconds: float = 0.0  # for which the batch waited for its programs
    batch_size: int = 0  # jobs in the program, padding included
    device: str = ""


@dataclass
class Inputs:
    """What the programs of a batch are called with, on the devices."""

    model: Any
    shared_inputs: Any
    jobs: Any
    job_inputs: Any


@dataclass
class Segment:
    """Steps that have been dispatched to the devices and not yet collected."""

    batch: "Batch"
    first: int
    last: int
    states: Any
    result: Result
    metrics: Any  # of the final image, after the last segment; else empty
    dispatched_at: float


class Batch:
    """Jobs that advance together; padding repeats the last one."""

    def __init__(
        self,
        members: tuple[int, ...],
        tasks: Sequence[Task],
        programs: Sequence[Any],
        inputs: Inputs,
        record: BatchRecord,
        identity: BatchIdentity | None = None,
        every: int | None = None,
        compile_wait: float = 0.0,
    ) -> None:
        """Begin, or go on from the record that a checkpoint holds.

        Args:
            members: places in the sweep.
            tasks: the tasks of the members.
            programs: the program of segments and, if images are measured, that of metrics.
            inputs: the arguments of the programs.
            record: what has been collected; its states are on the devices.
            identity: what checkpoints know the batch by; None if there are none.
            every: steps after each of which a segment ends; None for no such steps.
            compile_wait: seconds for which the batch waited for its programs.
        """
        self.members, self.tasks, self.programs, self.inputs = members, tasks, programs, inputs
        self.record, self.states = record, record.states
        self.identity, self.every, self.compile_wait = identity, every, compile_wait
        self.steps = tasks[0].job.recipe.steps
        self.snapshots = {step for task in tasks for step in task.job.recipe.snapshots}
        stops = {*self.snapshots, *range(every or self.steps, self.steps, every or 1)}
        self.remaining = deque(segment_bounds(record.step, self.steps, stops))
        self.started_at = time.perf_counter()

    def dispatch(self) -> Segment:
        """Start the next segment on the devices, and after the last one the metrics."""
        first, last = self.remaining.popleft()
        run, *measure = self.programs
        inputs, bounds = self.inputs, tuple(map(np.int32, (first, last, self.steps)))
        self.states, result = run((inputs.model, bounds), inputs.jobs, self.states)
        metrics: Any = {}
        if measure and last > self.steps:
            replicated = inputs.model, inputs.shared_inputs
            jobs = without_objective(inputs.jobs, inputs.shared_inputs)
            metrics = measure[0](replicated, jobs, inputs.job_inputs, result.image)
        return Segment(self, first, last, self.states, result, metrics, time.perf_counter())

    def collect(self, segment: Segment) -> int:
        """Wait for a segment and add it to the record; return the steps by which it grew."""
        jax.block_until_ready((segment.states, segment.result, segment.metrics))
        first, last, record = segment.first, segment.last, self.record
        history = jax.device_get(segment.result.history)
        count = last - first
        record.history.append({name: values[:, :count] for name, values in history.items()})
        record.step, record.states = last, segment.states
        if last in self.snapshots:
            record.snapshots[last] = jax.device_get(segment.result.image)
        grown = min(last, self.steps) - max(first, 0)
        if last <= self.steps and np.all(np.asarray(segment.result.steps_run) < last):
            grown += self._skip_to_the_end()
        return grown

    def _skip_to_the_end(self) -> int:
        """Drop the segments that no job needs, since all have converged; return their steps."""
        begin = min((first for first, _ in self.remaining), default=self.steps)
        self.remaining = deque(
            (max(first, self.steps), last) for first, last in self.remaining if last > self.steps
        )
        return max(self.steps - begin, 0)

    def outcomes(self, segment: Segment, seconds: float, device: str) -> list[Outcome]:
        """Return the outcome of each member, after the last segment.

        Args:
            segment: the last segment, collected.
            seconds: the batch's wall time.
            device: the device's kind.
        """
        result, metrics = jax.device_get((segment.result, segment.metrics))
        history = self.record.whole_history()
        return [
            Outcome(
                result=self._result(place, result, history),
                metrics={name: values[place].tolist() for name, values in metrics.items()},
                seconds=seconds / len(self.members),
                compile_seconds=self.compile_wait,
                batch_size=len(result.final_score),
                device=device,
            )
            for place in range(len(self.members))
        ]

    def _result(self, place: int, result: Result, history: dict[str, np.ndarray]) -> Result:
        """Return a member's result, whose history and snapshots end where the job stopped."""
        own: Any = jax.tree.map(lambda x: x[place], result)
        ran, kept = int(own.steps_run), self.record.snapshots
        wanted = self.tasks[place].job.recipe.snapshots
        snapshots = [
            own.image if step == self.steps else kept[step][place] for step in wanted if step <= ran
        ]
        own_history = {name: values[place, 1 : ran + 1] for name, values in history.items()}
        made: Result = own.replace(
            history=own_history, snapshots=np.array(snapshots or own.snapshots)
        )
        return made
