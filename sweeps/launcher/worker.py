"""A worker: it composes the jobs of a portion again, checks their ids, and runs and writes them."""

import os
import platform
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

import fvjax
from sweeps.config.enumerate_jobs import attempt
from sweeps.config.errors import EXPECTED, explain
from sweeps.config.fast_compose import Composer
from sweeps.execution.checkpoints import Checkpoints
from sweeps.execution.engines.engine import Work
from sweeps.execution.engines.pulse import Listener
from sweeps.execution.jax_setup import begin as begin_jax
from sweeps.execution.jax_setup import require_platform
from sweeps.execution.portions import Portion, Refused, Row
from sweeps.execution.run import executor, run
from sweeps.planning.plan import build_all
from sweeps.storage.location import locate
from sweeps.task import Task

_OF_HYDRA = ("hydra", "main", "schema")  # providers of the configs that every sweep has


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker must know of its sweep, as plain data.

    Attributes:
        working_directory: of the driver, to which paths of the configs are relative.
        python_path: the driver's `sys.path`.
        config_dir: the folder of the configs.
        config_name: the name of the primary config.
        search_path: folders of further configs.
        hydra_overrides: the overrides of Hydra itself on the command line.
        directory: of the sweep.
        attempt: the number of this start of the sweep.
        checkpoint: steps between two checkpoints, if any.
        pulse: the driver's sign of life.
        devices: the number of JAX devices.
        on_cpu: whether the worker has no accelerator.
        version: of the driver's fvjax.
    """

    working_directory: str
    python_path: Sequence[str]
    config_dir: str
    config_name: str
    search_path: Sequence[str]
    hydra_overrides: Sequence[str]
    directory: str
    attempt: int
    checkpoint: int | None
    pulse: str
    devices: int
    on_cpu: bool
    version: str

    @classmethod
    def of(cls, config: DictConfig, **others: Any) -> "WorkerSettings":
        """Return the settings of a sweep, of whose config the search path and overrides are read.

        Args:
            config: the config of the command line.
            others: the fields that the config does not hold.
        """
        sources = [source for source in config.hydra.runtime.config_sources if source.path]
        own = next(source.path for source in sources if source.provider == "main")
        others_found = [source for source in sources if source.provider not in _OF_HYDRA]
        overrides = [str(text) for text in config.hydra.overrides.hydra]
        return cls(
            working_directory=str(Path.cwd()),
            python_path=[str(Path(path).absolute()) for path in sys.path],
            config_dir=str(own),
            config_name=str(config.hydra.job.config_name),
            search_path=[f"{source.schema}://{source.path}" for source in others_found],
            hydra_overrides=[one for one in overrides if not one.startswith("hydra.searchpath")],
            version=fvjax.__version__,
            **others,
        )


def begin(settings: WorkerSettings) -> Work:
    """Set up this process as a worker, and return what runs portions.

    Raises:
        Refused: another version of fvjax is installed here, or the devices are others.
    """
    if fvjax.__version__ != settings.version:
        raise Refused(
            f"the worker on {platform.node()} has fvjax {fvjax.__version__}, and the driver has "
            f"{settings.version}: install the same version"
        )
    os.chdir(settings.working_directory)
    sys.path += [path for path in settings.python_path if path not in sys.path]
    if settings.on_cpu:
        jax.config.update("jax_platforms", "cpu")
    begin_jax(settings.devices)
    _check_devices(settings)
    return Worker(settings)


def _check_devices(settings: WorkerSettings) -> None:
    """Refuse a worker with other devices than those for which the batches were made."""
    try:
        require_platform()
    except ValueError as error:
        raise Refused(f"the worker on {platform.node()}: {error}") from error
    devices = executor().devices
    on_cpu = devices[0].platform == "cpu"
    if len(devices) != settings.devices or on_cpu != settings.on_cpu:
        key = "cpus_per_worker" if settings.on_cpu else "gpus_per_worker"
        raise Refused(
            f"the worker on {platform.node()} has {executor().device}, and engine.{key} asks for "
            f"{settings.devices} {'cores' if settings.on_cpu else 'accelerators'}"
        )


class Worker:
    """Runs portions of one sweep; networks and programs are kept from one to the next."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Compose the config of the command line, as the driver did."""
        self._settings = settings
        paths = ",".join(f"'{path}'" for path in settings.search_path)
        overrides = [*settings.hydra_overrides, *([f"hydra.searchpath=[{paths}]"] if paths else [])]
        with initialize_config_dir(settings.config_dir, version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            self._master = loader.load_configuration(
                settings.config_name, overrides, RunMode.MULTIRUN
            )
        self._composer = Composer(loader)
        self._listener = Listener(Path(settings.pulse))

    def __call__(self, portion: Portion) -> Iterator[list[Row]]:
        """Run the jobs of a portion; yield what Hydra is told of each batch that is written.

        Raises:
            Refused: the jobs are not those of the driver, or cannot be built here.
            Interrupted: the driver has stopped, or a signal came.
        """
        tasks = self._plan(portion)
        metric = {task.job_id: task.optimized_metric for task in tasks}
        directory = locate(self._settings.directory)
        batches = run(
            tasks,
            portion.numbers,
            directory,
            portion.batch_size,
            checkpoints=Checkpoints(directory, self._settings.checkpoint),
            attempt=self._settings.attempt,
            stopped=lambda: signal.SIGTERM if self._listener.has_ended() else 0,
        )
        for rows in batches:
            yield [headline(row, metric[row["job_id"]]) for row in rows]

    def _plan(self, portion: Portion) -> list[Task]:
        """Return the tasks of a portion, which are the driver's."""
        compose = partial(self._composer.compose, self._master)
        configs = [attempt(compose, overrides) for overrides in portion.overrides]
        where = f"the worker on {platform.node()}"
        try:
            tasks = build_all(configs, portion.overrides)
        except EXPECTED as error:
            reason = explain(error, self._settings.config_dir)
            raise Refused(f"{where} cannot build what the driver built: {reason}") from error
        for task, number, job_id in zip(tasks, portion.numbers, portion.job_ids, strict=True):
            if task.job_id != job_id:
                raise Refused(
                    f"job {number} is {job_id} for the driver and {task.job_id} for {where}: both "
                    "need the same configs, files and environment"
                )
        return tasks


def headline(row: Row, metric: str) -> Row:
    """Return what the driver tells Hydra of a job, as plain data."""
    names = ("job", "job_id", "status", "error", "device", "batch_size", metric)
    return {name: row.get(name) for name in names}
