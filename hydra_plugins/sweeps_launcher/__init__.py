"""The launcher `fused` and the sweeper `grids`, registered with Hydra; `sweeps` implements both.

Hydra scans every plugin when any application starts. It executes this module twice, the first time
before the module is in `sys.modules`. Therefore the module imports nothing heavy, keeps no state
and does not postpone its annotations.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
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
    """Settings of the launcher: how the jobs of a sweep share programs."""

    _target_: str = "hydra_plugins.sweeps_launcher.FusedLauncher"
    batch_size: int | None = None
    """Jobs per program; smaller groups are padded to this size. If null, a size that fits."""
    resume: bool = False
    """Whether jobs that the sweep's directory already holds are skipped."""
    job_dirs: bool = True
    """Whether every job gets a directory with its config; a sweep is quicker without."""
    checkpoint: int | None = None
    """Steps after each of which the state of a running batch is written, so that a killed sweep
    goes on within the batch. If null, only an interruption writes it."""
    plan_only: bool = False
    """Whether the programs and jobs are only printed, and nothing is run or written."""
    results: str | None = None
    """Where all results go in place of the sweep's directory: a URL that fsspec knows, such as
    s3://bucket/sweep, or a path. Jobs then have no directories, as with job_dirs=false."""


@dataclass
class GridsSweeperConfig:
    """Settings of the sweeper: a union of grids, as `sweeps.config.grids.expand` reads them."""

    _target_: str = "hydra_plugins.sweeps_launcher.GridsSweeper"
    grids: list[dict[str, Any]] = field(default_factory=list)
    """Each grid maps override keys to a value, a list of values, or text such as `range(0,8)`."""
    cross_with: list[dict[str, Any]] = field(default_factory=list)
    """A second union of grids, with which the first is crossed."""
    params: dict[str, Any] = field(default_factory=dict)
    """Choices that hold for all grids."""


class FusedLauncher(Launcher):
    """A launcher that runs jobs of equal structure as one program."""

    def __init__(
        self,
        batch_size: int | None,
        resume: bool,
        job_dirs: bool,
        checkpoint: int | None,
        plan_only: bool,
        results: str | None,
    ) -> None:
        """Store the fields of `FusedLauncherConfig`, which Hydra passes."""
        self.batch_size = batch_size
        self.resume = resume
        self.job_dirs = job_dirs if results is None else False
        self.checkpoint = checkpoint
        self.plan_only = plan_only
        self._plan: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store the sweep, and replace Hydra's config loader by a faster one."""
        from sweeps.config.fast_compose import Composer

        # The sweeper holds this same context, so its validation becomes faster too.
        hydra_context.config_loader = cast(ConfigLoader, Composer(hydra_context.config_loader))
        self.context = hydra_context
        self.task = task_function
        self.config = config

    def plan(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> None:
        """Plan the jobs of the next `launch`, and lock the sweep's directory.

        Raises:
            ValueError: planning found mistakes; nothing has been written.
            SystemExit: `plan_only` is set; the plan is printed.
        """
        from sweeps.config.engine import refuse_swept_engine
        from sweeps.launcher.plan_sweep import plan_sweep
        from sweeps.launcher.show_plan import show_plan

        refuse_swept_engine(self.config, job_overrides)
        self._plan = plan_sweep(self, job_overrides, initial_job_idx)
        if self.plan_only:
            show_plan(self._plan, self.batch_size)
            sys.exit()  # before Hydra and its callbacks look for results

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; return one JobReturn per job, in order.

        A sweeper that does not call `plan` first, such as Hydra's own, has the jobs planned here.
        """
        from sweeps.launcher.launch import launch

        if self._plan is None:
            self.plan(job_overrides, initial_job_idx)
        plan, self._plan = self._plan, None
        returns: Sequence[JobReturn] = launch(self, plan)
        return returns


class GridsSweeper(Sweeper):
    """A sweeper over a union of grids (`sweeps.config.grids`)."""

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher

    def __init__(self, grids: Any, cross_with: Any, params: Any) -> None:
        """Store the fields of `GridsSweeperConfig`, which Hydra passes."""
        self.grids, self.cross_with = _to_container(grids), _to_container(cross_with)
        self.params = _to_container(params)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store the sweep and make its launcher."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch all jobs at once.

        Raises:
            ValueError: every job failed; a sweep with some good rows has not failed.
        """
        from sweeps.config.grids import expand
        from sweeps.planning.positions import expand_positions

        loader = self.hydra_context.config_loader
        jobs = expand(self.grids, self.params, arguments, loader, self.cross_with)
        jobs = expand_positions(jobs, partial(loader.load_sweep_config, self.config))
        if hasattr(self.launcher, "plan"):  # ours: refuse mistakes before anything is written
            self.launcher.plan(jobs, initial_job_idx=0)
        else:
            self.validate_batch_is_legal(jobs)
        directory = Path(self.config.hydra.sweep.dir)
        directory.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, directory / "multirun.yaml")
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        failed = [job for job in returns if job.status is not JobStatus.COMPLETED]
        if returns and len(failed) == len(returns):
            raise ValueError(f"all {len(returns)} jobs failed: {failed[0]._return_value}")
        return [returns]


def _to_container(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


_store = ConfigStore.instance().store
_store("fused", FusedLauncherConfig, group="hydra/launcher", provider="sweeps_launcher")
_store("grids", GridsSweeperConfig, group="hydra/sweeper", provider="sweeps_launcher")
_MLFLOW = {
    "_target_": "sweeps.launcher.mlflow_tracking.MLflowCallback",
    "experiment": "fvjax",
    "tracking_uri": None,
}
_store("mlflow", {"mlflow": _MLFLOW}, group="hydra/callbacks", provider="sweeps_launcher")
