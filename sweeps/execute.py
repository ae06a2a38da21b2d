"""Run groups of jobs: padded chunks of one compiled program, sharded over the devices."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import fvjax
from fvjax.models.model import Model
from fvjax.objective import Focus
from fvjax.recipe import Job
from fvjax.visualize import Result
from sweeps.plan import Group, chunks, signature

log = logging.getLogger(__name__)

CPU_CHUNK = 8  # jobs: beyond it time per image-step rises again (docs/performance.md)
DEVICE_CHUNK = 128  # jobs, on an accelerator
_JOBS = PartitionSpec("jobs")


@dataclass
class Outcome:
    """What became of one job."""

    result: Result | None = None  # on the host
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0  # the chunk's, divided by its jobs
    compile_seconds: float = 0.0  # spent for this chunk; 0 where the program was there already
    chunk: int = 0  # jobs in the program, padding included
    device: str = ""


def run_jobs(model: Model, jobs: Job) -> Result:
    """Visualize stacked jobs: leaves with a leading jobs axis; the model has none."""
    return jax.vmap(fvjax.visualize, in_axes=(None, 0))(model, jobs)


def measure_jobs(focus: Focus, model: Model, direction: Any, transform: Any, images: Any) -> Any:
    """The metrics of stacked images, for stacked directions and transforms."""
    one = partial(fvjax.measure, model, focus=focus)
    return jax.vmap(lambda d, t, image: one(d, image, t))(direction, transform, images)


class Executor:
    """Compiled programs by structure and chunk size; lives as long as the process."""

    def __init__(self, devices: Sequence[Any] | None = None) -> None:
        """Use these devices (all local ones if None)."""
        self.devices = list(jax.local_devices() if devices is None else devices)
        self.mesh = Mesh(np.array(self.devices), ("jobs",))
        self.programs: dict[Any, Any] = {}
        self.sizes: dict[Any, list[int]] = {}  # chunk sizes compiled, by group signature

    def chunk_for(self, group: Group, wanted: int | None) -> int:
        """Jobs per program: as wanted; else of a program that is there; else an even share."""
        many, jobs = len(self.devices), len(group.members)
        if wanted is None:
            there = self.sizes.get(group.signature, [])
            if there:
                return min((c for c in there if c >= jobs), default=max(there))
            most = many * (CPU_CHUNK if self.devices[0].platform == "cpu" else DEVICE_CHUNK)
            wanted = -(-jobs // -(-jobs // most))
        elif wanted > 2 * jobs:
            log.warning(f"a group of {jobs} jobs is padded to the chunk of {wanted}")
        return -(-wanted // many) * many

    def execute(
        self,
        group: Group,
        jobs: Sequence[Job],
        focus: Focus,
        chunk: int | None = None,
        announce: Callable[[str], None] = lambda text: None,
    ) -> Iterator[list[tuple[int, Outcome]]]:
        """Run a group chunk by chunk; each yields its members' outcomes.

        Args:
            group: of `plan`.
            jobs: all jobs of the sweep; `group.members` are places in it.
            focus: the objectives' positions, equal within a group.
            chunk: jobs per program; None for a fitting one.
            announce: told what happens before it does.

        A chunk that runs out of memory is tried again at half its size; any other error is its
        jobs' outcome.
        """
        size = self.chunk_for(group, chunk)
        waiting = chunks(group.members, size)
        while waiting:
            members = waiting.pop(0)
            try:
                outcomes = self._run(group, [jobs[m] for m in members], focus, size, announce)
            except Exception as error:
                smaller = -(-size // 2 // len(self.devices)) * len(self.devices)
                if "RESOURCE_EXHAUSTED" in str(error) and smaller < size:
                    size = smaller
                    rest = [m for run in (members, *waiting) for m in run]
                    waiting = chunks(rest, size)
                    continue
                text = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                outcomes = [Outcome(error=text, chunk=size) for _ in members]
            yield list(zip(members, outcomes, strict=True))

    def _run(
        self,
        group: Group,
        jobs: list[Job],
        focus: Focus,
        size: int,
        announce: Callable[[str], None],
    ) -> list[Outcome]:
        padded = jobs + [jobs[-1]] * (size - len(jobs))
        stacked = jax.device_put(stack(padded), NamedSharding(self.mesh, _JOBS))
        model = jax.device_put(group.model, NamedSharding(self.mesh, PartitionSpec()))
        run, compiling = self._program("run", run_jobs, announce, model, stacked)
        self.sizes.setdefault(group.signature, []).append(size)
        announce("optimizing")
        begin = time.perf_counter()
        result = jax.block_until_ready(run(model, stacked))
        seconds = time.perf_counter() - begin
        seen = (model, stacked.direction, stacked.recipe.transform, result.image)
        gauge, more = self._program(
            ("measure", focus), partial(measure_jobs, focus), announce, *seen
        )
        begin = time.perf_counter()
        result, metrics = jax.device_get((result, gauge(*seen)))
        seconds += time.perf_counter() - begin
        return [
            Outcome(
                result=jax.tree.map(lambda x, lane=lane: x[lane], result),
                metrics={name: float(values[lane]) for name, values in metrics.items()},
                seconds=seconds / len(jobs),
                compile_seconds=compiling + more,
                chunk=size,
                device=self.devices[0].device_kind,
            )
            for lane in range(len(jobs))
        ]

    def _program(
        self, kind: Any, function: Any, announce: Callable[[str], None], model: Model, *stacked: Any
    ) -> tuple[Any, float]:
        """The compiled program for these arguments' structure, and the seconds spent on it now."""
        key = (kind, signature(model, stacked))
        if key in self.programs:
            return self.programs[key], 0.0
        announce("compiling")
        begin = time.perf_counter()
        spread = jax.shard_map(
            function,
            mesh=self.mesh,
            in_specs=(PartitionSpec(), *[_JOBS] * len(stacked)),
            out_specs=_JOBS,
            check_vma=False,  # custom gradients do not say how they vary over the mesh
        )
        self.programs[key] = jax.jit(spread).lower(model, *stacked).compile()
        return self.programs[key], time.perf_counter() - begin

    @property
    def compiled(self) -> int:
        """Visualization programs compiled so far."""
        return sum(kind == "run" for kind, _ in self.programs)


def stack(jobs: Sequence[Job]) -> Job:
    """One job whose leaves have a leading jobs axis."""
    stacked: Job = jax.tree.map(lambda *leaves: jnp.stack(leaves), *jobs)
    return stacked
