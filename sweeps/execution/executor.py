"""Run groups of jobs: padded batches of one compiled program, sharded over the devices."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from fvjax.optimization.recipe import Job, stack_jobs
from fvjax.optimization.visualize import Result
from sweeps.execution.batched import JOBS, measure_jobs, run_jobs, without_objective
from sweeps.execution.compile import compile_program
from sweeps.execution.grouping import Group, batches, signature
from sweeps.task import Task

log = logging.getLogger(__name__)
Tree = TypeVar("Tree")

MAX_JOBS_PER_CPU_DEVICE = (
    4  # jobs on each device: beyond it nothing is gained (docs/performance.md)
)
MAX_JOBS_PER_DEVICE = 128  # the same on an accelerator, memory permitting
MAX_IN_FLIGHT = 2  # batches given to the device before the first of them is fetched
_MEMORY = 0.9  # of a device's, for one program


@dataclass
class Outcome:
    """What became of one job."""

    result: Result | None = None  # on the host
    metrics: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0  # the batch's, divided by its jobs
    compile_seconds: float = 0.0  # that the batch waited for its programs
    batch_size: int = 0  # jobs in the program, padding included
    device: str = ""


@dataclass
class InFlightBatch:
    """A batch that the devices have been given."""

    members: tuple[int, ...]
    values: Any  # result and metrics, on the devices
    started_at: float
    compile_wait: float


class TooLarge(MemoryError):
    """A program that needs more memory than there is, and the batch that would fit."""

    def __init__(self, needed: int, limit: int, fitting: int) -> None:
        """Say so."""
        super().__init__(f"RESOURCE_EXHAUSTED: {needed} bytes needed, the device has {limit}")
        self.fitting = fitting


class Executor:
    """Compiled programs by structure and batch size; lives as long as the process."""

    def __init__(self, devices: Sequence[Any] | None = None) -> None:
        """Use these devices (all local ones if None)."""
        self.devices = list(jax.local_devices() if devices is None else devices)
        self.programs: dict[Any, list[Future[Any]]] = {}  # by signature and batch_size
        self.measures: dict[Any, Future[Any]] = {}  # the same; objectives share them
        self.pool = ThreadPoolExecutor(2, "compile")

    def batch_size_for(self, group: Group, wanted: int | None = None) -> int:
        """Jobs per program: as wanted; else of a program that is there; else an even share."""
        many, jobs = len(self.devices), len(group.members)
        if wanted is None:
            there: list[int] = [size for known, size in self.programs if known == group.signature]
            if there:
                return min((size for size in there if size >= jobs), default=max(there))
            most = many * (
                MAX_JOBS_PER_CPU_DEVICE
                if self.devices[0].platform == "cpu"
                else MAX_JOBS_PER_DEVICE
            )
            wanted = -(-jobs // -(-jobs // most))
        return self.round_up(wanted)

    def round_up(self, wanted: int) -> int:
        """So many jobs or a few more, as many on each device that is used."""
        used = min(len(self.devices), wanted)
        return -(-wanted // used) * used

    def prepare(self, group: Group, tasks: Sequence[Task], batch_size: int | None = None) -> int:
        """Have a group's programs compiled in the background; returns their batch size."""
        size = self.batch_size_for(group, batch_size)
        key = (group.signature, size)
        if key not in self.programs:
            first = tasks[group.members[0]]
            image = jax.eval_shape(_decoded, first.job)
            job, job_inputs, image = jax.tree.map(
                lambda x: _shape(x, size), (first.job, first.job_inputs, image)
            )
            self.programs[key] = [self._submit(run_jobs, size, group.model, job)]
            if group.measured:
                given = (
                    (group.model, group.shared_inputs),
                    without_objective(job, group.shared_inputs),
                    job_inputs,
                    image,
                )
                what = signature(given), size
                if what not in self.measures:
                    self.measures[what] = self._submit(measure_jobs, size, *given)
                self.programs[key].append(self.measures[what])
        return size

    def _submit(self, function: Any, size: int, *given: Any) -> Future[Any]:
        return self.pool.submit(self._compile, function, size, *given)

    def execute(
        self,
        group: Group,
        tasks: Sequence[Task],
        batch_size: int | None = None,
        announce: Callable[[str], None] = lambda text: None,
    ) -> Iterator[list[tuple[int, Outcome]]]:
        """Run a group batch by batch; each yields its members' outcomes.

        Args:
            group: of `plan`.
            tasks: all of the sweep; `group.members` are places in it.
            batch_size: jobs per program; None for a fitting one.
            announce: told what happens before it does.

        The devices have the next batch before the outcomes of the last one are yielded. A batch for
        which there is too little memory is made smaller; any other error is its jobs' outcome.
        """
        if batch_size is not None and batch_size > 2 * len(group.members):
            log.warning(
                f"a group of {len(group.members)} jobs is padded to the batch of {batch_size}"
            )
        size = self.batch_size_for(group, batch_size)
        pending = deque(batches(group.members, size))
        in_flight: deque[InFlightBatch] = deque()
        device_idle_since = 0.0  # when the devices ended their last batch
        while pending or in_flight:
            can_dispatch = bool(pending) and len(in_flight) < MAX_IN_FLIGHT
            members = pending.popleft() if can_dispatch else in_flight[0].members
            try:
                if can_dispatch:
                    in_flight.append(self._dispatch(group, members, tasks, size, announce))
                    continue
                outcomes, device_idle_since = self._collect(
                    in_flight.popleft(), size, device_idle_since
                )
            except Exception as error:
                smaller = self._smaller(error, size)
                if smaller < size:
                    self.programs.pop((group.signature, size), None)
                    left = {m for run in (members, *pending) for m in run}
                    left |= {m for batch in in_flight for m in batch.members}
                    size = smaller
                    pending = deque(batches(sorted(left), size))
                    in_flight.clear()
                    continue
                outcomes = [Outcome(error=summarize_error(error), batch_size=size) for _ in members]
            yield list(zip(members, outcomes, strict=True))

    def _smaller(self, error: Exception, size: int) -> int:
        """A batch that may fit where this error tells of too little memory; else the same."""
        if "RESOURCE_EXHAUSTED" not in str(error) or size == 1:
            return size
        fitting = error.fitting if isinstance(error, TooLarge) else size // 2
        many = len(self.devices)
        return max(fitting // many * many, min(fitting, many), 1)

    def _dispatch(
        self,
        group: Group,
        members: tuple[int, ...],
        tasks: Sequence[Task],
        size: int,
        announce: Callable[[str], None],
    ) -> InFlightBatch:
        """Start a batch on the devices."""
        started_at = time.perf_counter()
        self.prepare(group, tasks, size)
        programs = self.programs[group.signature, size]
        there = all(program.done() for program in programs)
        announce("optimizing" if there else "compiling")
        run, *measure = (program.result() for program in programs)
        announce("optimizing")
        compiled = time.perf_counter()
        mine = [tasks[m] for m in members]
        mine += [mine[-1]] * (size - len(mine))
        mesh = self._mesh(size)
        stacked = stack_jobs([(task.job, task.job_inputs) for task in mine])
        jobs, job_inputs = jax.device_put(stacked, NamedSharding(mesh, JOBS))
        given = (group.model, group.shared_inputs)
        replicated = jax.device_put(given, NamedSharding(mesh, PartitionSpec()))
        result = run(replicated[0], jobs)
        seen = without_objective(jobs, group.shared_inputs)
        metrics = measure[0](replicated, seen, job_inputs, result.image) if measure else {}
        return InFlightBatch(
            members, (result, metrics), compiled, 0.0 if there else compiled - started_at
        )

    def _collect(
        self, batch: InFlightBatch, size: int, device_idle_since: float
    ) -> tuple[list[Outcome], float]:
        """Wait for a batch: its outcomes, and when it ended."""
        jax.block_until_ready(batch.values)
        ended = time.perf_counter()
        result, metrics = jax.device_get(batch.values)
        seconds = ended - max(batch.started_at, device_idle_since)
        outcomes = [
            Outcome(
                result=jax.tree.map(lambda x, place=place: x[place], result),
                metrics={name: values[place].tolist() for name, values in metrics.items()},
                seconds=seconds / len(batch.members),
                compile_seconds=batch.compile_wait,
                batch_size=size,
                device=self.devices[0].device_kind,
            )
            for place in range(len(batch.members))
        ]
        return outcomes, ended

    def _mesh(self, size: int) -> Mesh:
        return Mesh(np.array(self.devices[: min(len(self.devices), size)]), ("jobs",))

    def _compile(self, function: Any, size: int, replicated: Any, *stacked: Any) -> Any:
        """The program for these shapes; more than the memory holds is refused."""
        program = compile_program(function, self._mesh(size), replicated, *stacked)
        limit = memory_of(self.devices[0])
        found = program.memory_analysis()
        if limit is not None and found is not None:
            parts = (found.argument_size_in_bytes, found.output_size_in_bytes)
            needed = found.temp_size_in_bytes + sum(parts)
            if needed > _MEMORY * limit:
                raise TooLarge(needed, limit, int(size * _MEMORY * limit / needed))
        return program

    @property
    def program_count(self) -> int:
        """Visualization programs compiled so far, those being compiled included."""
        return len(self.programs)


def summarize_error(error: Exception) -> str:
    """An error in one line: its first, or the last where that one only announces a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0].endswith("Traceback (most recent call last):") else lines[0]
    return f"{type(error).__name__}: {line}".removesuffix(": ")


def memory_of(device: Any) -> int | None:
    """Bytes; None for a CPU, which does not say."""
    return (device.memory_stats() or {}).get("bytes_limit")


def _decoded(job: Job) -> Any:
    return job.recipe.decode(job.recipe.init(job.key))


def _shape(x: Any, size: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((size, *jnp.shape(x)), x.dtype)
