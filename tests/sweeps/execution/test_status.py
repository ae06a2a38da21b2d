"""The status of real jobs: blank pictures are seen, and pictures that show the direction are ok."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sweeps
from fvjax.models.tiny import tiny
from sweeps.launcher.job_return import return_value_of
from sweeps.results.status import share_begun

QUICK = ["steps=12", "transform=none", "judge=null", "objective=dot", "direction.index=1"]
REFERENCE = ["reference_images=generated", "reference_count=16"]
STRONG = ["penalty=orthogonal", "penalty.weight=50"]


def row(directory: Path, *overrides: str, model: Any = None) -> dict[str, Any]:
    network = tiny(3) if model is None else None
    table = sweeps.run([*QUICK, *overrides], model=network, directory=directory / "sweep")
    (only,) = table.to_dict("records")
    return dict(only)


@pytest.mark.parametrize(
    ("overrides", "status"),
    [
        ([*REFERENCE], "ok"),
        ([*REFERENCE, *STRONG], "collapsed"),
        (["reference_images=null", *STRONG], "ok"),  # not decided
        ([*REFERENCE, *STRONG, "metrics=none"], "ok"),  # not decided either
    ],
)
def test_a_penalty_that_wins_is_seen(overrides: list[str], status: str, tmp_path: Path) -> None:
    found = row(tmp_path, *overrides)
    assert found["status"] == status and found["error"] is None
    if status == "collapsed":
        assert found["reference_percentile"] < 50
        assert return_value_of(found, "final_score") == found["final_score"]  # no error for Hydra


@pytest.mark.slow
def test_minimising_turns_the_threshold(tmp_path: Path) -> None:
    """The same picture, of least activation, is what sign -1 asks for and no answer to sign 1."""
    found = row(tmp_path, *REFERENCE, "objective.sign=-1")
    assert found["status"] == "ok" and found["reference_percentile"] < 50


@pytest.mark.slow
def test_deepdream_asks_for_no_direction(tmp_path: Path) -> None:
    against = ["objective=deepdream", f"direction.index={list(range(16))}"]
    against.append(f"direction.weight={[-1] * 16}")
    found = row(tmp_path, *REFERENCE, *against)
    assert found["status"] == "ok" and found["reference_percentile"] < 50


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "status"), [("0.05", "ok"), ("1e-6", "collapsed")])
def test_a_planted_feature_is_judged_by_its_strength(
    rate: str, status: str, tmp_path: Path
) -> None:
    keys = ["model=planted", "direction=feature", "image_size=40", "steps=24"]
    keys += [f"learning_rate={rate}", "reference_images=null"]
    found = row(tmp_path, *keys, model="planted")
    assert found["status"] == status and (found["strength"] < 0.05) == (status == "collapsed")


def test_the_share_that_began_leaves_out_what_is_not_known() -> None:
    words = ["ok", "ok", "dead", "collapsed", "failed", "diverged"]
    assert share_begun(pd.Series(words)) == 0.5
    assert pd.isna(share_begun(pd.Series(["failed"])))
