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

MAX_JOBS_PER_CPU_DEVICE = 4  # more jobs per device gain nothing (docs/performance.md)
MAX_JOBS_PER_DEVICE = 128  # the same on an accelerator, if its memory permits
MAX_IN_FLIGHT = 2  # batches dispatched before the first of them is collected
_MEMORY = 0.9  # share of a device's memory that one program may need


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
class InFlightBatch:
    """A batch that has been dispatched to the devices and not yet collected."""

    members: tuple[int, ...]
    values: Any  # result and metrics, on the devices
    started_at: float
    compile_wait: float


class TooLarge(MemoryError):
    """The refusal of a program that needs more memory than the device has."""

    def __init__(self, needed: int, limit: int, fitting: int) -> None:
        """Store the batch size that would fit, beside the bytes needed and available."""
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
        """Return the number of jobs per program.

        If no size is wanted, the size is that of a compiled program of the group. If there is no
        such program, the size is an even share of the group.
        """
        jobs = len(group.members)
        if wanted is None:
            sizes: list[int] = [size for key, size in self.programs if key == group.signature]
            if sizes:
                return min((size for size in sizes if size >= jobs), default=max(sizes))
            on_cpu = self.devices[0].platform == "cpu"
            per_device = MAX_JOBS_PER_CPU_DEVICE if on_cpu else MAX_JOBS_PER_DEVICE
            most = len(self.devices) * per_device
            wanted = -(-jobs // -(-jobs // most))
        return self.round_up(wanted)

    def round_up(self, wanted: int) -> int:
        """Return the number of jobs, rounded up to equally many on each device that is used."""
        used = min(len(self.devices), wanted)
        return -(-wanted // used) * used

    def prepare(self, group: Group, tasks: Sequence[Task], batch_size: int | None = None) -> int:
        """Compile a group's programs in the background; return their batch size."""
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
                measured_job = without_objective(job, group.shared_inputs)
                replicated = (group.model, group.shared_inputs)
                arguments = (replicated, measured_job, job_inputs, image)
                measure_key = signature(arguments), size
                if measure_key not in self.measures:
                    self.measures[measure_key] = self._submit(measure_jobs, size, *arguments)
                self.programs[key].append(self.measures[measure_key])
        return size

    def _submit(self, function: Any, size: int, *arguments: Any) -> Future[Any]:
        return self.pool.submit(self._compile, function, size, *arguments)

    def execute(
        self,
        group: Group,
        tasks: Sequence[Task],
        batch_size: int | None = None,
        announce: Callable[[str], None] = lambda text: None,
    ) -> Iterator[list[tuple[int, Outcome]]]:
        """Run a group batch by batch, and yield each batch's members with their outcomes.

        The next batch is dispatched before the outcomes of a batch are yielded. If memory does not
        hold a batch, the batch size is reduced. After any other error the jobs of the batch run one
        by one, in batches of the same size, so that the error becomes the outcome of its job alone.

        Args:
            group: a group of `grouping.group_tasks`.
            tasks: all tasks of the sweep; `group.members` are places in them.
            batch_size: jobs per program; None leaves the choice to `batch_size_for`.
            announce: called with "compiling" or "optimizing" before either begins.
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
                    unfinished = {m for batch in (members, *pending) for m in batch}
                    unfinished |= {m for batch in in_flight for m in batch.members}
                    size = smaller
                    pending = deque(batches(sorted(unfinished), size))
                    in_flight.clear()
                    continue
                if len(members) > 1:
                    reason = summarize_error(error)
                    log.warning(f"{len(members)} jobs of a batch run again one by one: {reason}")
                    pending.extendleft((member,) for member in reversed(members))
                    continue
                outcomes = [Outcome(error=summarize_error(error), batch_size=size)]
            yield list(zip(members, outcomes, strict=True))

    def _smaller(self, error: Exception, size: int) -> int:
        """Return a smaller batch size if the error reports a lack of memory, else the same size."""
        if "RESOURCE_EXHAUSTED" not in str(error) or size == 1:
            return size
        fitting = error.fitting if isinstance(error, TooLarge) else size // 2
        devices = len(self.devices)
        return max(fitting // devices * devices, min(fitting, devices), 1)

    def _dispatch(
        self,
        group: Group,
        members: tuple[int, ...],
        tasks: Sequence[Task],
        size: int,
        announce: Callable[[str], None],
    ) -> InFlightBatch:
        """Start a batch on the devices, padded to the batch size by repeating its last job."""
        started_at = time.perf_counter()
        self.prepare(group, tasks, size)
        programs = self.programs[group.signature, size]
        all_compiled = all(program.done() for program in programs)
        announce("optimizing" if all_compiled else "compiling")
        run, *measure = (program.result() for program in programs)
        announce("optimizing")
        compiled_at = time.perf_counter()
        padded = [tasks[m] for m in members]
        padded += [padded[-1]] * (size - len(padded))
        mesh = self._mesh(size)
        stacked = stack_jobs([(task.job, task.job_inputs) for task in padded])
        jobs, job_inputs = jax.device_put(stacked, NamedSharding(mesh, JOBS))
        everywhere = NamedSharding(mesh, PartitionSpec())
        replicated = jax.device_put((group.model, group.shared_inputs), everywhere)
        result = run(replicated[0], jobs)
        measured_jobs = without_objective(jobs, group.shared_inputs)
        metrics = measure[0](replicated, measured_jobs, job_inputs, result.image) if measure else {}
        compile_wait = 0.0 if all_compiled else compiled_at - started_at
        return InFlightBatch(members, (result, metrics), compiled_at, compile_wait)

    def _collect(
        self, batch: InFlightBatch, size: int, device_idle_since: float
    ) -> tuple[list[Outcome], float]:
        """Wait for a batch; return its outcomes and the time at which it ended."""
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
        """Compile a program for these shapes.

        Raises:
            TooLarge: the program needs more memory than the device has.
        """
        program = compile_program(function, self._mesh(size), replicated, *stacked)
        limit = memory_of(self.devices[0])
        memory = program.memory_analysis()
        if limit is not None and memory is not None:
            parts = (memory.argument_size_in_bytes, memory.output_size_in_bytes)
            needed = memory.temp_size_in_bytes + sum(parts)
            if needed > _MEMORY * limit:
                raise TooLarge(needed, limit, int(size * _MEMORY * limit / needed))
        return program

    @property
    def program_count(self) -> int:
        """Return the number of visualization programs, including those that are being compiled."""
        return len(self.programs)


def summarize_error(error: Exception) -> str:
    """Return an error in one line: the first, or the last if the first announces a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0].endswith("Traceback (most recent call last):") else lines[0]
    return f"{type(error).__name__}: {line}".removesuffix(": ")


def memory_of(device: Any) -> int | None:
    """Return a device's memory in bytes; None for a CPU, which does not report it."""
    return (device.memory_stats() or {}).get("bytes_limit")


def _decoded(job: Job) -> Any:
    return job.recipe.decode(job.recipe.init(job.key))


def _shape(x: Any, size: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((size, *jnp.shape(x)), x.dtype)
