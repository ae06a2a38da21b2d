"""The driver of a sweep that runs on workers: what it checks first, and its engine."""

import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from sweeps.config.engine import INLINE
from sweeps.execution.engines.engine import Engine
from sweeps.execution.engines.ray import RayEngine
from sweeps.execution.engines.submitit import SubmititEngine, make_executor
from sweeps.execution.jax_setup import MOST_CPU_DEVICES

WORKERS = "workers"
"""The folder in a sweep's directory by which driver and workers speak."""

_DEVICES = "JAX_NUM_CPU_DEVICES"


def prepare_driver(settings: Mapping[str, Any]) -> None:
    """Refuse an engine that cannot start; keep the driver of workers off accelerators.

    Raises:
        ValueError: the engine's package is not installed, or refuses its parameters.
    """
    name = settings["name"]
    if name == INLINE:
        return
    if find_spec(name) is None:
        raise ValueError(
            f"engine={name} needs the package {name}, which is not installed: "
            f"pip install 'fvjax[{name}]'"
        )
    if name == "submitit":
        with tempfile.TemporaryDirectory() as folder:
            make_executor(Path(folder), settings)
    jax.config.update("jax_platforms", "cpu")  # workers read the environment, which stays


def start_engine(settings: Mapping[str, Any], folder: Path) -> Engine:
    """Return the engine of the settings.

    Args:
        settings: the keys of the group `engine`.
        folder: a folder that the workers see too.

    Raises:
        ValueError: the engine does not start.
    """
    if settings["name"] == "ray":
        return RayEngine(settings)
    return SubmititEngine(settings, folder)


def devices_of_worker(settings: Mapping[str, Any]) -> int:
    """Return the number of JAX devices of a worker."""
    if settings["gpus_per_worker"]:
        return int(settings["gpus_per_worker"])
    given = os.environ.get(_DEVICES, "")
    return int(given) if given.isdigit() else min(settings["cpus_per_worker"], MOST_CPU_DEVICES)
