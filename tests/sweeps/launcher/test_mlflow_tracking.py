"""The callback of MLflow, where MLflow is not installed."""

import pytest

from sweeps.config.errors import UserError
from sweeps.launcher import mlflow_tracking


def test_without_mlflow_a_sweep_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_tracking, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"hydra/callbacks=mlflow needs MLflow.*pip install"):
        mlflow_tracking.MLflowCallback()
