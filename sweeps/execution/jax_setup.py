"""JAX's settings for commands: the folder of its cache, its devices and its logging."""

import logging
import os
import warnings
from contextlib import suppress

import jax

from sweeps.execution.cpu_limit import usable_cpus
from sweeps.execution.executable_cache import MAX_BYTES, local_folder
from sweeps.storage.cache_folder import cache_folder, evict, is_usable

MOST_CPU_DEVICES = 8


def begin(cores: int | None = None) -> None:
    """Set up JAX, with a device for each core; call this before JAX runs anything."""
    cache_programs()
    quiet_jax()
    use_cores(cores)


def require_platform() -> None:
    """Start JAX's devices.

    Raises:
        ValueError: the platform that JAX_PLATFORMS names does not start on this machine.
    """
    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:
        named = jax.config.jax_platforms  # type: ignore[attr-defined]
        reason = next(iter(str(error).splitlines()), "")
        why = f" ({reason})" if reason else ""
        raise ValueError(
            f"JAX cannot start the platform {named or 'of this machine'}{why}: set "
            "JAX_PLATFORMS=cpu, or install its plugin (for cuda: pip install 'fvjax[cuda]')"
        ) from error


def quiet_jax() -> None:
    """Silence JAX's messages at INFO, which Hydra would print (such as the absence of a TPU)."""
    logging.getLogger("jax").setLevel(logging.WARNING)


def cache_programs() -> None:
    """Cache compiled programs in the user's cache folder, unless JAX has a folder.

    Where another user could have written to JAX's folder, JAX caches nothing.
    """
    # JAX warns for every program that it cannot cache; `ExecutableCache` warns once.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        given = local_folder(jax.config)
        if given is not None and not is_usable(given):
            jax.config.update("jax_compilation_cache_dir", None)
        return
    folder = cache_folder("programs")
    if folder is None:
        return
    with suppress(OSError):
        evict(folder, "*", MAX_BYTES)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def use_cores(cores: int | None = None) -> None:
    """Give JAX one device per core, so that jobs run in parallel.

    The cores are by default those that the process may use (`usable_cpus`).

    One device with all cores is 1.3 times slower on two cores (docs/performance.md).
    """
    is_set = jax.config.jax_num_cpu_devices != -1  # type: ignore[attr-defined]
    if is_set or "host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with suppress(RuntimeError):  # JAX has started with other devices
        jax.config.update("jax_num_cpu_devices", min(cores or usable_cpus(), MOST_CPU_DEVICES))
