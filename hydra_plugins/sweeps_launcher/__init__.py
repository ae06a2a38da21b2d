"""Registers with Hydra the launcher `fused` and the sweeper `grids`; what they do is in `sweeps`.

Hydra scans every plugin at the start of every application and executes this module twice, the
first time before it is in `sys.modules`: so it imports nothing heavy, keeps no state, and does not
postpone its annotations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class FusedLauncherConfig:
    """How the jobs of a sweep run together."""

    _target_: str = "hydra_plugins.sweeps_launcher.FusedLauncher"
    batch_size: int | None = None
    """Jobs per program, a shorter group padded to it; a fitting number if null."""
    resume: bool = False
    """Whether jobs that the sweep's directory holds already are not run again."""
    job_dirs: bool = True
    """Whether every job has a directory with its config; without, a sweep is quicker."""


@dataclass
class GridsSweeperConfig:
    """The union of grids to sweep over; see `sweeps.config.grids.expand`."""

    _target_: str = "hydra_plugins.sweeps_launcher.GridsSweeper"
    grids: list[dict[str, Any]] = field(default_factory=list)
    """Each maps override keys to a value, a list of values, or text such as `range(0,8)`."""
    cross_with: list[dict[str, Any]] = field(default_factory=list)
    """Another union of grids, which multiplies the first."""
    params: dict[str, Any] = field(default_factory=dict)
    """Choices common to all grids."""


class FusedLauncher(Launcher):
    """Runs the jobs of a sweep that share a structure as one program."""

    names_all_mistakes = True  # so a sweeper need not look for the first

    def __init__(self, batch_size: int | None, resume: bool, job_dirs: bool) -> None:
        """Called by Hydra with the fields of `FusedLauncherConfig`."""
        self.batch_size = batch_size
        self.resume = resume
        self.job_dirs = job_dirs

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take note of the sweep; from here on its jobs are composed quickly."""
        from sweeps.config.fast_compose import Composer

        # The sweeper holds this same context, so its validation is quick too.
        hydra_context.config_loader = cast(ConfigLoader, Composer(hydra_context.config_loader))
        self.context = hydra_context
        self.task = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; one return for each, in their order."""
        from sweeps.launcher.launch import launch

        returns: Sequence[JobReturn] = launch(self, job_overrides, initial_job_idx)
        return returns


class GridsSweeper(Sweeper):
    """Sweeps over a union of grids; see `sweeps.config.grids`."""

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher

    def __init__(self, grids: Any, cross_with: Any, params: Any) -> None:
        """Called by Hydra with the fields of `GridsSweeperConfig`."""
        self.grids, self.cross_with, self.params = _plain(grids), _plain(cross_with), _plain(params)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take note of the sweep and make its launcher."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch all jobs at once; the sweep fails when none of them came through."""
        from sweeps.config.grids import expand

        loader = self.hydra_context.config_loader
        jobs = expand(self.grids, self.params, arguments, loader, self.cross_with)
        if not getattr(self.launcher, "names_all_mistakes", False):
            self.validate_batch_is_legal(jobs)
        directory = Path(self.config.hydra.sweep.dir)
        directory.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, directory / "multirun.yaml")
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        failed = [job for job in returns if job.status is not JobStatus.COMPLETED]
        if returns and len(failed) == len(returns):  # a sweep with some good rows has not failed
            raise ValueError(f"all {len(returns)} jobs failed: {failed[0]._return_value}")
        return [returns]


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


_store = ConfigStore.instance().store
_store("fused", FusedLauncherConfig, group="hydra/launcher", provider="sweeps_launcher")
_store("grids", GridsSweeperConfig, group="hydra/sweeper", provider="sweeps_launcher")
