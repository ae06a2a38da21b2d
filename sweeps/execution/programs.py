"""The compiled programs of groups, by structure and batch size."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fvjax.optimization.recipe import Job
from sweeps.execution.batched import (
    measure_jobs,
    segment_jobs,
    state_shapes,
    without_objective,
    without_steps,
)
from sweeps.execution.compile import compile_program
from sweeps.execution.grouping import Group, signature
from sweeps.task import Task

MAX_JOBS_PER_CPU_DEVICE = 4  # more jobs per device gain nothing (docs/performance.md)
MAX_JOBS_PER_DEVICE = 128  # the same on an accelerator, if its memory permits
_MOST_PADDED = 1024  # largest batch size to which smaller sweeps are padded
_MOST_PROGRAMS = 16  # kept: each maps some 1000 pieces of memory, and Linux allows 65530 a process
_MEMORY = 0.9  # share of a device's memory that one program may need
_BOUNDS = (np.int32(-1), np.int32(0), np.int32(0))  # of a segment, for their types


class TooLarge(MemoryError):
    """The refusal of a program that needs more memory than the device has."""

    def __init__(self, needed: int, limit: int, fitting: int) -> None:
        """Store the batch size that would fit, beside the bytes needed and available."""
        super().__init__(f"RESOURCE_EXHAUSTED: {needed} bytes needed, the device has {limit}")
        self.fitting = fitting


class Programs:
    """Compiled programs by structure and batch size; the least recently used are released."""

    def __init__(self, devices: Sequence[Any] | None = None) -> None:
        """Use these devices (all local ones if None)."""
        self.devices = list(jax.local_devices() if devices is None else devices)
        self.programs: dict[Any, list[Future[Any]]] = {}  # by signature and batch_size
        self.measures: dict[Any, Future[Any]] = {}  # the same; objectives share them
        self.states: dict[Any, tuple[jax.ShapeDtypeStruct, ...]] = {}  # that segments hand on
        self.pool = ThreadPoolExecutor(2, "compile")

    def batch_size_for(self, group: Group, wanted: int | None = None) -> int:
        """Return the number of jobs per program.

        If no size is wanted, the size is that of a program of the group that has been compiled. If
        there is no such program, the size is an even share of the group.
        """
        jobs = len(group.members)
        if wanted is None:
            sizes: list[int] = [size for key, size in self.states if key == group.signature]
            if sizes:
                return min((size for size in sizes if size >= jobs), default=max(sizes))
            wanted = even_share(jobs, len(self.devices), self.devices[0].platform == "cpu")
        return self.round_up(wanted)

    def round_up(self, wanted: int) -> int:
        """Return the number of jobs, rounded up to equally many on each device that is used."""
        return round_up(wanted, len(self.devices))

    def prepare(self, group: Group, tasks: Sequence[Task], batch_size: int | None = None) -> int:
        """Compile a group's programs in the background; return their batch size."""
        size = self.batch_size_for(group, batch_size)
        key = (group.signature, size)
        if key in self.programs:
            self.programs[key] = self.programs.pop(key)  # the last one is the most recently used
        else:
            first = tasks[group.members[0]]
            one = without_steps(first.job)
            image = jax.eval_shape(_decoded, one)
            job, job_inputs, image = jax.tree.map(
                lambda x: _shape(x, size), (one, first.job_inputs, image)
            )
            self.states[key] = state_shapes(group.model, one, size)
            segment = (segment_jobs, size, (group.model, _BOUNDS), job, self.states[key])
            self.programs[key] = [self._submit(*segment)]
            if group.measured:
                measured_job = without_objective(job, group.shared_inputs)
                replicated = (group.model, group.shared_inputs)
                arguments = (replicated, measured_job, job_inputs, image)
                measure_key = signature(arguments), size
                if measure_key not in self.measures:
                    self.measures[measure_key] = self._submit(measure_jobs, size, *arguments)
                self.programs[key].append(self.measures[measure_key])
            self._release()
        return size

    def forget(self, group: Group, size: int) -> None:
        """Drop a program that does not fit in memory, and its size."""
        self.programs.pop((group.signature, size), None)
        self.states.pop((group.signature, size), None)

    def _release(self) -> None:
        """Drop the programs beyond the most that are kept; batches in flight hold their own."""
        for key in list(self.programs)[:-_MOST_PROGRAMS]:
            del self.programs[key]
        held = {id(program) for programs in self.programs.values() for program in programs}
        self.measures = {k: program for k, program in self.measures.items() if id(program) in held}

    def _submit(self, function: Any, size: int, *arguments: Any) -> Future[Any]:
        return self.pool.submit(self._compile, function, size, *arguments)

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
        """Return the number of visualization programs, also of those that have been released."""
        return len(self.states)


def even_share(jobs: int, devices: int, on_cpu: bool) -> int:
    """Return the jobs per batch if so many jobs run in equal batches on so many devices."""
    most = devices * (MAX_JOBS_PER_CPU_DEVICE if on_cpu else MAX_JOBS_PER_DEVICE)
    return -(-jobs // -(-jobs // most))


def padded_size(requested: int | None, jobs: int) -> int | None:
    """Return the jobs per batch if so many are requested in a sweep of so many jobs, or None.

    A small sweep is padded to the requested size, so that a job alone equals the same job in a
    sweep, bit for bit. A request beyond 1024 is reduced to the number of jobs.
    """
    return requested and (requested if requested <= _MOST_PADDED else min(requested, jobs))


def round_up(wanted: int, devices: int) -> int:
    """Return the number of jobs, rounded up to equally many on each device that is used."""
    used = min(devices, wanted)
    return -(-wanted // used) * used


def memory_of(device: Any) -> int | None:
    """Return a device's memory in bytes; None for a CPU, which does not report it."""
    return (device.memory_stats() or {}).get("bytes_limit")


def _decoded(job: Job) -> Any:
    return job.recipe.decode(job.recipe.init(job.key))


def _shape(x: Any, size: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((size, *jnp.shape(x)), x.dtype)
