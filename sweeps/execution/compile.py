"""Programs over stacked jobs: sharded over the devices, compiled and cached on disk."""

import os
import re
import uuid
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sweeps.execution.batched import JOBS
from sweeps.execution.executable_cache import ExecutableCache

VERIFY = "FVJAX_VERIFY_CACHE"  # environment variable: "1" recompiles what the cache holds

# Vectors of 512 bits, where a processor has them, halve what LLVM unrolls and compiles
# (docs/development/performance.md); XLA's default is 256.
_VECTORS = {"xla_cpu_prefer_vector_width": 512}
# XLA's experimental kernels (YNN), on by default in jaxlib 0.10, are slower than the kernels they
# replace (docs/development/performance.md). Which kernel runs depends on processor and batch.
_CPU_OPTIONS = {**_VECTORS, "xla_cpu_experimental_ynn_fusion_type": ""}
# Of products of bfloat16, they alone use AMX and AVX-512; their convolutions stay off.
_BFLOAT16_CPU_OPTIONS = {
    **_VECTORS,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}


def compile_program(function: Any, mesh: Mesh, replicated: Any, *stacked: Any) -> Any:
    """Compile `function(replicated, *stacked)` for these shapes, or load it from the cache.

    Programs are cached in JAX's folder (`jax_compilation_cache_dir`), if JAX has one.

    Raises:
        RuntimeError: `FVJAX_VERIFY_CACHE=1` is set, and the cached program differs from the
            program that the same arguments compile to.
    """
    executables, arguments = ExecutableCache.from_jax_config(jax.config), (replicated, *stacked)
    if executables is None:
        return _compile(function, mesh, arguments)
    options = compiler_options(_platform(mesh), _has_bfloat16(arguments))
    key = executables.key(function, mesh, options, arguments)
    if key is None:
        return _compile(function, mesh, arguments)
    program = executables.load(key, mesh, arguments)
    if program is not None and os.environ.get(VERIFY) != "1":
        return program
    # jaxlib 0.10 cannot serialize an executable that XLA:CPU loaded from its own cache: the copy
    # lacks its object code. A unique name forces a cache miss; the useless entry is deleted.
    name = f"{function.__name__}_{uuid.uuid4().hex}"
    fresh = _compile(function, mesh, arguments, name)
    for path in executables.folder.glob(f"*{name}*"):
        path.unlink(missing_ok=True)
    if program is None:
        executables.save(key, fresh)
    elif _instructions(program, function.__name__) != _instructions(fresh, function.__name__):
        raise RuntimeError(
            f"the cached program {key} of {function.__name__} differs from a fresh compilation: "
            "its key lacks something that decides the program"
        )
    return fresh


def _compile(function: Any, mesh: Mesh, arguments: tuple[Any, ...], name: str | None = None) -> Any:
    narrow = _has_bfloat16(arguments)
    return shard_jobs(function, mesh, len(arguments) - 1, name, narrow).lower(*arguments).compile()


def _has_bfloat16(arguments: Any) -> bool:
    return any(x.dtype == jnp.bfloat16 for x in jax.tree.leaves(arguments) if hasattr(x, "dtype"))


def _instructions(program: Any, name: str) -> list[str]:
    """Return the instructions of a program, without unique names and source locations."""
    text = re.sub(rf"{name}_[0-9a-f]{{32}}", name, program.as_text())
    text = re.sub(r",? metadata=\{[^}]*\}", "", text)
    return [line for line in text.splitlines() if "%" in line]


def shard_jobs(
    function: Any, mesh: Mesh, inputs: int, name: str | None = None, bfloat16: bool = False
) -> Any:
    """Return `function(replicated, *inputs)`, jitted, with the jobs split over the mesh.

    Args:
        function: the function; every output has a leading jobs axis.
        mesh: the devices.
        inputs: the number of inputs with a leading jobs axis.
        name: the program's name; the function's own if None.
        bfloat16: whether weights are bfloat16.
    """
    split, replicated = NamedSharding(mesh, JOBS), NamedSharding(mesh, PartitionSpec())
    sharded = jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(PartitionSpec(), *[JOBS] * inputs),
        out_specs=JOBS,
        check_vma=False,  # custom gradients do not say how they vary over the mesh
    )
    sharded.__name__ = name or function.__name__
    # With explicit shardings a compiled program accepts arrays from any device.
    return jax.jit(
        sharded,
        in_shardings=(replicated, *[split] * inputs),
        compiler_options=compiler_options(_platform(mesh), bfloat16),
    )


@cache
def compiler_options(platform: str, bfloat16: bool = False) -> dict[str, Any]:
    """Return the options of ours that this jaxlib knows and that XLA_FLAGS does not set."""
    if platform != "cpu":
        return {}
    flags = os.environ.get("XLA_FLAGS", "")
    options = _BFLOAT16_CPU_OPTIONS if bfloat16 else _CPU_OPTIONS
    return {
        name: value
        for name, value in options.items()
        if name not in flags and _is_known(name, value)
    }


def _is_known(option: str, value: Any) -> bool:
    with jax.default_device(jax.devices("cpu")[0]):
        try:
            jax.jit(lambda: 0, compiler_options={option: value}).lower().compile()
        except jax.errors.JaxRuntimeError:
            return False
    return True


def _platform(mesh: Mesh) -> str:
    return str(mesh.devices.flat[0].platform)
