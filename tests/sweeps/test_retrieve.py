"""Ranking reference images by objectives, and tiling a photograph's positions."""

import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from cases import LUCID, PARAMETERIZATIONS
from PIL import Image

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.optimization.recipe import as_leaves
from fvjax.reference.activation_statistics import ReferenceStatistics
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.retrieve import average_precision, main, score_images
from sweeps.studies.activation_grid import grid, write_grids

MODEL = fvjax.load("tiny")


def job_of(exponent: float, index: int) -> fvjax.Job:
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=exponent, floor=0.1),
        parameterization=PARAMETERIZATIONS["fourier"],
        transform=LUCID,
        learning_rate=0.05,
        steps=2,
        optimizer="adam",
    )
    direction = fvjax.Direction(vector=jax.nn.one_hot(index, 16), layer="conv2")
    return as_leaves(fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(0)))


@pytest.mark.slow
def test_the_command_line_s_jobs_are_those_of_a_sweep() -> None:
    jobs = jobs_of(["model=tiny", "objective=dot,cosine", "direction.index=range(0,3)"])
    assert len(jobs.configs) == 6 and jobs.overrides[4] == [
        "model=tiny",
        "objective=cosine",
        "direction.index=1",
    ]
    assert jobs.configs[4].values["direction"]["index"] == 1
    assert len(jobs_of(["experiment=demo", "seed=0"]).configs) >= 48


def test_images_are_ranked_by_the_score_itself() -> None:
    reference = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 40))
    jobs = [job_of(exponent=e, index=i) for e in (0.0, 2.0) for i in (1, 4)]
    found = score_images(MODEL, jobs, reference)
    images = np.concatenate([batch.images for batch in reference.images])
    assert found.shape == (4, 40)
    for scores, job in zip(found, jobs, strict=True):
        objective, direction = job.recipe.objective, job.direction
        assert isinstance(direction, fvjax.Direction)
        alone = [objective(MODEL(jnp.asarray(i)), direction) for i in images[::13]]
        np.testing.assert_allclose(scores[::13], alone, rtol=1e-3, atol=1e-6)


def test_average_precision_is_the_mean_precision_at_each_hit() -> None:
    scores, relevant = np.array([4.0, 3, 2, 1]), np.array([True, False, True, False])
    assert average_precision(scores, relevant) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.slow
def test_retrieval_writes_a_table_and_a_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    images = ["reference_images=generated", "reference_count=24", f"hydra.sweep.dir={tmp_path}"]
    main(["model=tiny", "objective=dot,cosine", "direction=centroid,channel", *images])
    table = pd.read_parquet(tmp_path / "retrieval.parquet")
    assert len(table) == 4 and (table["top"].map(len) == 12).all()
    assert table.loc[table["objective"] == "cosine", "best"].between(-1, 1).all()
    assert (table.loc[table["objective"] == "dot", "best"] > 0).all()
    labelled = table[table["direction"] == "centroid"]
    assert labelled["average_precision"].between(0, 1).all()
    assert set(labelled["concept"]) == {"texture=plain"}
    assert table.loc[table["direction"] == "channel", "average_precision"].isna().all()
    with Image.open(tmp_path / "retrieval.png") as sheet:
        assert sheet.width > 12 * 112
    assert "average precision" in capsys.readouterr().out


def test_ranking_needs_images_and_single_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"retrieve needs reference images"):
        main(["model=tiny"])
    with pytest.raises(ValueError, match=r"images_per_job must be 1"):
        main(["model=tiny", "reference_images=generated", "reference_count=4", "images_per_job=2"])


def jobs_at(positions: list[int]) -> pd.DataFrame:
    rows = []
    for position in positions:
        buffer = io.BytesIO()
        Image.fromarray(np.full((4, 4, 3), 10 * position, np.uint8)).save(buffer, format="png")
        rows.append(
            {
                "objective": "dot",
                "direction": "photo",
                "direction_at": position,
                "layer": "conv2",
                "image_height": 4,
                "image_width": 4,
                "image": {"bytes": buffer.getvalue(), "path": ""},
            }
        )
    return pd.DataFrame(rows)


def test_pictures_lie_at_their_positions(tmp_path: Path) -> None:
    canvas = grid(jobs_at([0, 1, 5, 8]), 3)
    assert canvas.shape == (12, 12, 3)
    assert (canvas[0, 4] == 10).all() and (canvas[7, 11] == 50).all()
    assert (canvas[11, 11] == 80).all() and (canvas[4, 0] == 128).all()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "photo.png")
    jobs = jobs_at([0, 1, 2, 3]).assign(direction_path=str(tmp_path / "photo.png"))
    write_grids(jobs, tmp_path / "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 1000
    with pytest.raises(ValueError, match=r"needs direction\.at=range"):
        write_grids(jobs.assign(direction_at="center"), tmp_path / "grid.png")
