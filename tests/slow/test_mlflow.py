"""A sweep in MLflow: settings, metrics, pictures and the report, however often it is resumed."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import sweeps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra mlflow is not installed"),
]

SWEEP = ["-m", "model=tiny", "objective=dot,cosine", "steps=4", "reference_images=null"]
SWEEP += ["judge=null", "hydra.sweep.dir=out", "hydra/callbacks=mlflow"]


def run(folder: Path, store: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "sweeps",
        *SWEEP,
        f"hydra.callbacks.mlflow.tracking_uri={store}",
    ]
    environment = os.environ | {"MLFLOW_ALLOW_FILE_STORE": "true", "GIT_PYTHON_REFRESH": "quiet"}
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def logged(store: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any], list[Any]]:
    """The client of a store, the runs of sweeps and those of jobs."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("fvjax")
    runs = list(client.search_runs([experiment.experiment_id]))
    parents = [run for run in runs if "fvjax.directory" in run.data.tags]
    return client, parents, [run for run in runs if run not in parents]


def files(client: Any, run: Any) -> set[str]:
    return {artifact.path for artifact in client.list_artifacts(run.info.run_id)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_a_sweep_is_logged_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = {
        "file": (tmp_path / "mlruns").as_uri(),
        "sqlite": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }[kind]
    done = run(tmp_path, store)
    assert done.returncode == 0 and "not logged" not in done.stdout, done.stdout + done.stderr
    client, (parent,), jobs = logged(store, monkeypatch)
    assert files(client, parent) == {"report.html", "sheet.png", "results.parquet"}
    assert "objective=dot,cosine" in parent.data.tags["fvjax.command"]
    table = sweeps.load(tmp_path / "out").set_index("objective")
    assert len(jobs) == 2
    for job in jobs:
        row = table.loc[job.data.params["objective"]]
        assert job.data.metrics["dot"] == pytest.approx(row["dot"])
        assert job.data.params["steps"] == "4" and job.info.status == "FINISHED"
        assert files(client, job) == {Path(row["image"]["path"]).name}
    again = run(tmp_path, store, "seed=0,1", "hydra.launcher.resume=true")
    assert again.returncode == 0, again.stderr
    _, parents, jobs = logged(store, monkeypatch)
    assert len(parents) == 1 and len(jobs) == 4


def test_a_store_that_fails_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = run(tmp_path, f"{(tmp_path / 'file').as_uri()}/store")
    assert done.returncode == 0 and "not logged: " in done.stdout
    assert len(sweeps.load(tmp_path / "out")) == 2
