"""The checks before Hydra writes anything: wrong commands are refused, directories are locked."""

import re
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from sweeps.config.engine import engine_settings, refuse_workers
from sweeps.config.errors import report_user_errors
from sweeps.config.paths import directory_key, results_directory
from sweeps.execution.checkpoints import CHECKPOINTS
from sweeps.execution.progress import progress
from sweeps.launcher.engines import WORKERS, prepare_driver
from sweeps.planning.plan import build_all
from sweeps.results.part_files import PARTS
from sweeps.results.parts import holds_results
from sweeps.results.pictures import PICTURES
from sweeps.storage.atomic import write_durably
from sweeps.storage.directory_lock import acquire, acquire_existing
from sweeps.storage.location import Location, check_writable
from sweeps.task import Task

planned_tasks: dict[Path, Task] = {}
"""The tasks of runs that are planned and not yet started, by directory."""

_TAKEN = (PARTS, PICTURES, CHECKPOINTS, WORKERS)  # folders of a sweep's directory
_MULTIRUN = "multirun.yaml"  # Hydra's sweepers write it
_RATE = "max_failure_rate"  # share of failed trials beyond which Hydra's Optuna sweeper stops


class PreflightCallback(Callback):
    """Plans a run, and refuses a run or sweep whose directory cannot be used."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Plan the run, then lock its directory."""
        with report_user_errors():
            sweeper = config.hydra.sweeper
            if sweeper.get("grids") or sweeper.get("params"):
                raise ValueError(f"{_experiment(config)} is a sweep: add -m, before all overrides")
            if config.hydra.launcher.get("plan_only", False):
                raise ValueError("hydra.launcher.plan_only=true shows a sweep's plan: add -m")
            refuse_workers(config, "one job needs none: leave it out, or add -m for a sweep")
            progress().say("planning the job")
            (task,) = build_all([config], [[]])
            directory = results_directory(config.hydra, config.hydra.run.dir)
            check_writable(directory)
            acquire(directory)
            if holds_results(directory):
                raise ValueError(f"{directory} holds results already: choose another hydra.run.dir")
            planned_tasks[Path(config.hydra.run.dir).resolve()] = task

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Refuse a directory that another sweep uses; the launcher plans the jobs."""
        with report_user_errors():
            experiment = _experiment(config)
            if not re.fullmatch(r"[\w=/-]+", experiment):
                raise ValueError(
                    f"{experiment}: one experiment is one sweep, give each its command"
                )
            prepare_driver(engine_settings(config))
            raw: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
            subdir = str(raw["subdir"])
            if Path(subdir).parts[:1] in [(name,) for name in _TAKEN]:
                raise ValueError(f"hydra.sweep.subdir={subdir} is where results go: choose another")
            directory = results_directory(config.hydra)
            only_planned = config.hydra.launcher.get("plan_only", False)
            if not only_planned:
                check_writable(directory)
                acquire_existing(directory)
            if holds_results(directory):
                if not config.hydra.launcher.get("resume", False):
                    raise ValueError(
                        f"{directory} holds the results of a sweep: add hydra.launcher.resume=true "
                        "to run what is missing or failed, or choose another "
                        f"{directory_key(directory)}"
                    )
                if not only_planned:
                    acquire(directory)
                _keep_batch_size(config, directory)
        _tolerate_failed_trials(config)


def keep_command(config: DictConfig, directory: Location) -> None:
    """Write multirun.yaml beside the results, where Hydra's own directory is another."""
    if directory != Path(str(config.hydra.sweep.dir)):
        write_durably(directory / _MULTIRUN, OmegaConf.to_yaml(config).encode())


def _keep_batch_size(config: DictConfig, directory: Location) -> None:
    """Give a resumed sweep the batch size of its first command, unless this one names another.

    A batch size that the first command left open is one for each program, which the rows tell.
    """
    recorded = directory / _MULTIRUN
    launcher = config.hydra.launcher
    if not recorded.is_file() or launcher.get("batch_size", 0) is not None:
        return
    former = OmegaConf.select(
        OmegaConf.create(recorded.read_bytes().decode()), "hydra.launcher.batch_size"
    )
    if isinstance(former, int):
        launcher.batch_size = former
        # Each job's config is composed from this list again.
        config.hydra.overrides.hydra.append(f"hydra.launcher.batch_size={former}")


def _experiment(config: DictConfig) -> str:
    """Return the command line's override of the group `experiment`; "this" if there is none."""
    overrides = (override.lstrip("+") for override in config.hydra.overrides.task)
    return next((text for text in overrides if text.startswith("experiment=")), "this")


def _tolerate_failed_trials(config: DictConfig) -> None:
    """Let an Optuna study continue after failed trials, unless the user set the rate.

    A config file of ours cannot set the rate: the sweeper's schema of the same name wins.
    """
    overrides = config.hydra.overrides.hydra
    is_set = any(override.startswith(f"hydra.sweeper.{_RATE}=") for override in overrides)
    if config.hydra.sweeper.get(_RATE) == 0 and not is_set:
        config.hydra.sweeper[_RATE] = 1.0
