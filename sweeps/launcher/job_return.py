"""A job that has run, handed to Hydra as if it ran now."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf import DictConfig

from sweeps.execution.run import Row

BAD = ("failed", "diverged")


class JobFailed(HydraException, RuntimeError):
    """A job that came to nothing: a NaN in its place would end an Optuna study."""


class Replay:
    """The task of a job that has run: returns its optimized_metric metric or raises its error.

    Pickles as the task itself, so that Hydra's rerun of a pickled job computes.
    """

    def __init__(self, task: Any, row: Row, optimized_metric: str) -> None:
        """Take the job's row."""
        self.task, self.row, self.optimized_metric = task, row, optimized_metric

    def __call__(self, config: DictConfig) -> float:
        """What the job returns to Hydra."""
        return return_value_of(self.row, self.optimized_metric)

    def __reduce__(self) -> Any:
        """Be the original task again."""
        return _itself, (self.task,)


def _itself(task: Any) -> Any:
    return task


def return_value_of(row: Row, optimized_metric: str) -> float:
    """The metric that a sweeper sees.

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


def returned(overrides: Sequence[str], row: Row, optimized_metric: str) -> JobReturn:
    """What Hydra's `run_job` would return, without a directory for the job."""
    done = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    try:
        done.return_value = return_value_of(row, optimized_metric)
    except RuntimeError as error:
        done.status, done.return_value = JobStatus.FAILED, error
    return done
