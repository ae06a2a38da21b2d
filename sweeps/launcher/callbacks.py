"""Before Hydra writes anything: what is wrong is refused, and the directory is claimed."""

import re
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from sweeps.config.errors import report_user_errors
from sweeps.execution.run import PICTURES
from sweeps.planning.plan import build_all
from sweeps.results.table import PARTS, holds_results
from sweeps.storage.directory_lock import acquire
from sweeps.task import Task

planned_tasks: dict[Path, Task] = {}
"""The task of a run, by the run's directory, until the run takes it up."""


_RATE = "max_failure_rate"  # of an Optuna study's trials, beyond which Hydra's sweeper ends it


class PreflightCallback(Callback):
    """Plans a run, and claims the directory of a run or sweep for this process."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Called by Hydra."""
        with report_user_errors():
            sweeper = config.hydra.sweeper
            if sweeper.get("grids") or sweeper.get("params"):
                raise ValueError(f"{_experiment(config)} is a sweep: add -m, before all overrides")
            (task,) = build_all([config], [[]])
            directory = Path(config.hydra.run.dir)
            acquire(directory)
            if holds_results(directory):
                raise ValueError(f"{directory} holds results already: choose another hydra.run.dir")
            planned_tasks[directory.resolve()] = task

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Called by Hydra."""
        with report_user_errors():
            chosen = _experiment(config)
            if not re.fullmatch(r"[\w=/-]+", chosen):
                raise ValueError(f"{chosen}: one experiment is one sweep, give each its command")
            raw: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
            subdir = str(raw["subdir"])
            if Path(subdir).parts[:1] in [(name,) for name in (PARTS, PICTURES)]:
                raise ValueError(f"hydra.sweep.subdir={subdir} is where results go: choose another")
            directory = Path(str(config.hydra.sweep.dir))
            acquire(directory)
            if holds_results(directory) and not config.hydra.launcher.get("resume", False):
                raise ValueError(
                    f"{directory} holds the results of a sweep: add hydra.launcher.resume=true to "
                    "run what is missing or failed, or choose another hydra.sweep.dir"
                )
        _tolerate_failed_trials(config)


def _experiment(config: DictConfig) -> str:
    """What the command line says of it."""
    given = (one.lstrip("+") for one in config.hydra.overrides.task)
    return next((one for one in given if one.startswith("experiment=")), "this")


def _tolerate_failed_trials(config: DictConfig) -> None:
    """Let failed trials not end a study, unless the command line or an experiment says so.

    No config file of ours can: the sweeper's own default is in a schema of the same name.
    """
    told = any(one.startswith(f"hydra.sweeper.{_RATE}=") for one in config.hydra.overrides.hydra)
    if config.hydra.sweeper.get(_RATE) == 0 and not told:
        config.hydra.sweeper[_RATE] = 1.0
