"""The results of jobs that have run, in the form that Hydra expects of a job."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf import DictConfig

from sweeps.execution.run import Row
from sweeps.results.status import BAD


class JobFailed(HydraException, RuntimeError):
    """A job without a value to optimize; returning NaN instead would end an Optuna study."""


class Replay:
    """A task function that returns the recorded metric of a job, or raises the job's error.

    Pickling yields the original task function, so Hydra's rerun of a pickled job computes.
    """

    def __init__(self, task: Any, row: Row, optimized_metric: str) -> None:
        """Store the original task function, the job's row and the metric's name."""
        self.task, self.row, self.optimized_metric = task, row, optimized_metric

    def __call__(self, config: DictConfig) -> float:
        """Return the job's recorded metric."""
        return return_value_of(self.row, self.optimized_metric)

    def __reduce__(self) -> Any:
        """Pickle as the original task function."""
        return _identity, (self.task,)


def _identity(task: Any) -> Any:
    return task


def return_value_of(row: Row, optimized_metric: str) -> float:
    """Return the metric that a sweeper optimizes.

    Raises:
        JobFailed: the job failed or diverged, or the metric is null.
    """
    if row["status"] in BAD:
        raise JobFailed(f"the job {row['status']}: {row['error']}")
    if row.get(optimized_metric) is None:
        raise JobFailed(
            f"the job has no {optimized_metric}, which metrics.optimized_metric asks for"
        )
    return float(row[optimized_metric])


def make_job_return(overrides: Sequence[str], row: Row, optimized_metric: str) -> JobReturn:
    """Return what Hydra's `run_job` returns, without a directory for the job."""
    job_return = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    try:
        job_return.return_value = return_value_of(row, optimized_metric)
    except RuntimeError as error:
        job_return.status, job_return.return_value = JobStatus.FAILED, error
    return job_return
