"""What a command does first: where programs are kept, how many devices, what JAX may say."""

import logging
import os
from contextlib import suppress

import jax

from sweeps.storage.array_cache import cache_folder

_MOST_CPU_DEVICES = 8


def begin() -> None:
    """Call before JAX runs anything."""
    cache_programs()
    quiet_jax()
    use_cores()


def quiet_jax() -> None:
    """Hydra logs everything at INFO; that there is no TPU is no news."""
    logging.getLogger("jax").setLevel(logging.WARNING)


def cache_programs() -> None:
    """Keep compiled programs in the user's cache folder, unless JAX is told where."""
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def use_cores() -> None:
    """A device for each core: jobs side by side use the cores better than one layer of one job.

    XLA would otherwise give one device all cores (1.3 times slower on two, docs/performance.md).
    """
    chosen = jax.config.jax_num_cpu_devices != -1  # type: ignore[attr-defined]
    if chosen or "host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with suppress(RuntimeError):  # JAX runs already, with the devices it has
        jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, _MOST_CPU_DEVICES))
