"""The Hydra application, which runs one job."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from sweeps.config.errors import report_user_errors
from sweeps.config.free_keys import allow_free_keys
from sweeps.config.paths import CONF, expand_home_of_directory, results_directory
from sweeps.config.several import split_options
from sweeps.execution.interrupt import leave_on_signals
from sweeps.execution.jax_setup import begin
from sweeps.execution.reference_pictures import keep_reference_pictures
from sweeps.execution.run import run
from sweeps.launcher.callbacks import planned_tasks
from sweeps.launcher.finish import finish
from sweeps.launcher.go_on import how_to_go_on, last_words, say_how_to_go_on
from sweeps.launcher.job_return import return_value_of
from sweeps.planning.plan import build_all
from sweeps.storage.directory_lock import acquire, release_all
from sweeps.task import Task


def main() -> None:
    """Run the command line of `python -m sweeps`: one job, or a sweep with `-m`."""
    sys.argv[1:] = split_options(expand_home_of_directory(allow_free_keys(sys.argv[1:])))
    with leave_on_signals(last_words), say_how_to_go_on(), release_all():
        job()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> float:
    """Run one job as a sweep of one, and write its results into the run's directory."""
    hydra = HydraConfig.get()
    directory = results_directory(hydra, hydra.runtime.output_dir)
    with report_user_errors():
        task = planned_tasks.pop(Path(hydra.runtime.output_dir).resolve(), None) or _plan(config)
        acquire(directory, finish)
        (rows,) = run([task], [0], directory, go_on=how_to_go_on(directory))
        keep_reference_pictures(directory, [task], [0])
        return return_value_of(rows[0], task.optimized_metric)


def _plan(config: DictConfig) -> Task:
    """Build the task of a job that another launcher runs, which PreflightCallback did not see."""
    with open_dict(config):
        config.hydra = HydraConfig.instance().cfg.hydra  # type: ignore[union-attr]
    (task,) = build_all([config], [[]])
    return task


begin()
