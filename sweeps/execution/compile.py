"""A program over stacked jobs: split over the devices, compiled, and kept for the next process."""

import os
import uuid
from functools import cache
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sweeps.execution.batched import JOBS
from sweeps.execution.executable_cache import ExecutableCache

# XLA's experimental kernels of matrix products, on by default in jaxlib 0.10, are slower than those
# they replace (docs/performance.md), and which of them is taken depends on processor and batch.
_CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiled(function: Any, mesh: Mesh, replicated: Any, *stacked: Any) -> Any:
    """Compile `function(replicated, *stacked)` for these shapes, or load it from the cache.

    Programs are cached in JAX's folder (`jax_compilation_cache_dir`), if there is one.
    """
    kept, given = ExecutableCache.from_jax_config(jax.config), (replicated, *stacked)
    key = kept and kept.key(function, mesh, compiler_options(_platform(mesh)), given)
    if not kept or not key:
        return shard_jobs(function, mesh, len(stacked)).lower(*given).compile()
    program = kept.load(key, mesh, given)
    if program is None:
        # What XLA:CPU found in its own cache cannot be written again: it runs, but read back lacks
        # its functions (jaxlib 0.10). A new name is not found there, and need not stay there.
        name = f"{function.__name__}_{uuid.uuid4().hex}"
        program = shard_jobs(function, mesh, len(stacked), name).lower(*given).compile()
        for path in kept.folder.glob(f"*{name}*"):
            path.unlink(missing_ok=True)
        kept.save(key, program)
    return program


def shard_jobs(function: Any, mesh: Mesh, inputs: int, name: str | None = None) -> Any:
    """`function(replicated, *inputs)`, jitted: the inputs' first axis is split over the mesh."""
    split, replicated = NamedSharding(mesh, JOBS), NamedSharding(mesh, PartitionSpec())
    sharded = jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(PartitionSpec(), *[JOBS] * inputs),
        out_specs=JOBS,
        check_vma=False,  # custom gradients do not say how they vary over the mesh
    )
    sharded.__name__ = name or function.__name__
    # The shardings let a compiled program take arrays wherever they were made.
    return jax.jit(
        sharded,
        in_shardings=(replicated, *[split] * inputs),
        compiler_options=compiler_options(_platform(mesh)),
    )


@cache
def compiler_options(platform: str) -> dict[str, Any]:
    """For XLA: what this jaxlib knows of our options, and XLA_FLAGS does not set."""
    if platform != "cpu":
        return {}
    flags = os.environ.get("XLA_FLAGS", "")
    return {
        name: value for name, value in _CPU_OPTIONS.items() if name not in flags and _known(name)
    }


def _known(option: str) -> bool:
    with jax.default_device(jax.devices("cpu")[0]):
        try:
            jax.jit(lambda: 0, compiler_options={option: _CPU_OPTIONS[option]}).lower().compile()
        except jax.errors.JaxRuntimeError:
            return False
    return True


def _platform(mesh: Mesh) -> str:
    return str(mesh.devices.flat[0].platform)
