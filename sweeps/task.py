"""The task: a job of a sweep, ready to run."""

from dataclasses import dataclass, field
from typing import Any

from fvjax.metrics.context import JobMetricInputs, SharedMetricInputs
from fvjax.models.model import Model
from fvjax.optimization.recipe import Job
from fvjax.sources.direction_info import DirectionInfo

_NO_SHARED_INPUTS, _NO_JOB_INPUTS = SharedMetricInputs(), JobMetricInputs()


@dataclass(frozen=True)
class Task:
    """A job, its model, and the way its image is measured and recorded.

    Attributes:
        model: the network, with the layers of the job's space.
        job: the job that is optimized.
        info: the original direction, in the plain space.
        measured: whether all metrics are computed, or only the score.
        shared_inputs: inputs of the metrics that all jobs of a layer share.
        job_inputs: the job's own inputs of the metrics.
        optimized_metric: the metric that Hydra's sweepers see.
        job_id: a hash of the config and of the files that it names.
        columns: the config as columns of the table.
        weights_hash: hash of the network's weights, and of the judge's.
        reference_hash: hash of the reference images.
    """

    model: Model
    job: Job
    info: DirectionInfo
    measured: bool = True
    shared_inputs: SharedMetricInputs = _NO_SHARED_INPUTS
    job_inputs: JobMetricInputs = _NO_JOB_INPUTS
    optimized_metric: str = "final_score"
    job_id: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    weights_hash: str = ""
    reference_hash: str | None = None
