"""An optional callback that logs a sweep or run to MLflow: settings, metrics, pictures, report."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from sweeps.config.errors import UserError
from sweeps.launcher.finish import afterwards
from sweeps.launcher.go_on import given_command
from sweeps.report import NAME, report
from sweeps.results.labels import config_columns, format_exact
from sweeps.results.parts import merged_path
from sweeps.results.report.columns import metrics_of
from sweeps.results.status import BAD
from sweeps.results.table import load
from sweeps.storage.atomic import local_copy
from sweeps.storage.location import Location

_DIRECTORY, _JOB, _STATUS = "fvjax.directory", "fvjax.job", "fvjax.status"
_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"  # MLflow's own tags
_AT_ONCE = 100  # parameters that a store takes in one call
_LETTERS = 500  # of a parameter, which every store takes
_PAGE = 1000  # runs in one answer


class MLflowCallback(Callback):
    """Logs what a command has made after its table, sheet and report are written."""

    def __init__(self, experiment: str = "fvjax", tracking_uri: str | None = None) -> None:
        """Log into an experiment of a store; MLflow's own default store if its address is None.

        Raises:
            UserError: MLflow is not installed.
        """
        if find_spec("mlflow") is None:
            raise UserError(
                "hydra/callbacks=mlflow needs MLflow, which is not installed: pip install mlflow"
            )
        self.log = partial(log_to_mlflow, experiment=experiment, tracking_uri=tracking_uri)

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Log the run when it is finished."""
        afterwards(self.log)

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Log the sweep when it is finished, also after an error or Ctrl-C."""
        afterwards(self.log)


def log_to_mlflow(directory: Location, experiment: str, tracking_uri: str | None = None) -> None:
    """Log a directory of results: one MLflow run, and below it one for each job.

    A resumed sweep adds its new jobs to the MLflow run of its directory.

    Args:
        directory: of a finished sweep or run.
        experiment: MLflow's name for a set of runs; it is made if it does not exist.
        tracking_uri: the address of the store; MLflow's default if None.
    """
    from mlflow import MlflowClient

    client, results = MlflowClient(tracking_uri), load(directory)
    known = client.get_experiment_by_name(experiment)
    number = known.experiment_id if known else client.create_experiment(experiment)
    where = str(directory.resolve())
    former = [
        run
        for run in _runs(client, number, f"tags.`{_DIRECTORY}` = '{where}'")
        if _PARENT not in run.data.tags
    ]
    if former:
        parent = former[0].info.run_id
    else:
        tags = {_DIRECTORY: where, _NAME: directory.name, "fvjax.command": given_command()}
        parent = client.create_run(number, tags=tags).info.run_id
    below = _runs(client, number, f"tags.`{_PARENT}` = '{parent}'")
    logged = {run.data.tags.get(_JOB) for run in below}
    metrics, settings = metrics_of(results), config_columns(results)
    for row in results.to_dict("records"):
        name = f"{row['job_id']} {row.get('attempt') or 1}"
        if name in logged:
            continue
        tags = {_PARENT: parent, _JOB: name, _STATUS: row["status"], _NAME: _title(row)}
        run = client.create_run(number, tags=tags).info.run_id
        _log_values(client, run, row, settings, metrics)
        if row["image"] is not None:
            _log_file(client, run, directory / row["image"]["path"])
        client.set_terminated(run, "FAILED" if row["status"] in BAD else "FINISHED")
    with tempfile.TemporaryDirectory() as folder:  # one file, since links would lead nowhere
        client.log_artifact(parent, str(report([directory], Path(folder) / NAME, portable=True)))
    for path in (directory / "sheet.png", merged_path(directory)):
        _log_file(client, parent, path)
    client.set_terminated(parent)


def _log_file(client: Any, run: str, path: Location) -> None:
    with local_copy(path) as local:
        client.log_artifact(run, str(local))


def _title(row: Mapping[Any, Any]) -> str:
    return f"{row['job']}: {row.get('label')} {row.get('objective', '')} seed {row.get('seed')}"


def _log_values(
    client: Any, run: str, row: Mapping[Any, Any], settings: list[str], metrics: list[str]
) -> None:
    """Log a row's config as parameters and its numbers as metrics; what is null is left out."""
    from mlflow.entities import Metric, Param

    now = round(time.time() * 1000)
    given = [c for c in settings if pd.notna(row[c])]
    params = [Param(c, format_exact(row[c])[:_LETTERS]) for c in given]
    numbers = [Metric(m, float(row[m]), now, 0) for m in metrics if pd.notna(row[m])]
    client.log_batch(run, metrics=numbers)
    for first in range(0, len(params), _AT_ONCE):
        client.log_batch(run, params=params[first : first + _AT_ONCE])


def _runs(client: Any, experiment: str, query: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], query, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
