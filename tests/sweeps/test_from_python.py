"""A sweep from Python on a network in memory."""

from pathlib import Path

import pytest

import fvjax
import sweeps
from fvjax.models.tiny import tiny

QUICK = ["steps=2", "metrics=none"]


@pytest.mark.slow
def test_a_network_in_memory_is_swept(tmp_path: Path) -> None:
    table = sweeps.run(
        ["objective=dot,cosine", "seed=0,1", *QUICK], model=tiny(3), directory=tmp_path / "a"
    )
    assert len(table) == 4 and (table["status"] != "failed").all()
    assert {*table["model"]} == {"memory"} and {*table["layer"]} == {"conv2"}
    assert len(sweeps.load(tmp_path / "a")) == 4
    other = sweeps.run(["seed=0", *QUICK], model=tiny(4), directory=tmp_path / "b")
    assert other["job_id"][0] not in set(table["job_id"])


@pytest.mark.slow
def test_the_picture_is_that_of_the_library(tmp_path: Path) -> None:
    model = tiny(3)
    table = sweeps.run(
        ["objective=dot_cosine", "direction.index=3", *QUICK], model=model, directory=tmp_path
    )
    (alone,) = fvjax.visualize_many(model, [fvjax.job(model, channel=3, steps=2)])
    assert table["final_score"][0] == pytest.approx(float(alone.final_score), rel=1e-4)


@pytest.mark.slow
def test_mistakes_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown layer 'conv9'"):
        sweeps.run(["layer=conv9"], model=tiny(3), directory=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    sweeps.run(QUICK, model=tiny(3), directory=tmp_path / "b")
    with pytest.raises(ValueError, match="holds results already"):
        sweeps.run(QUICK, model=tiny(3), directory=tmp_path / "b")
