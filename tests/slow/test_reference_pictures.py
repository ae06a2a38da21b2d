"""A sweep keeps the reference images at both ends of each direction, and the report has them."""

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from conftest import App
from PIL import Image

import fvjax
import sweeps
from fvjax.data.image_sets import ReferenceImages

pytestmark = pytest.mark.slow


def test_the_pictures_kept_are_those_that_excite_most_and_least(app: App, tmp_path: Path) -> None:
    given = ("model=tiny", "steps=3", "reference_images=generated", "reference_count=40")
    assert app("-m", *given, "direction.index=0,1", "seed=0,1", "hydra.sweep.dir=some") == 0
    directory = tmp_path / "some"
    kept = pd.read_parquet(directory / "reference_pictures.parquet")
    results = sweeps.load(directory)
    size = (int(results["image_height"].iloc[0]), int(results["image_width"].iloc[0]))
    images = [batch.images for batch in ReferenceImages("generated", size, 40)]
    model = fvjax.load("tiny")
    layer = results["layer"].iloc[0]
    look = jax.jit(jax.vmap(lambda image: model(image)[layer]))
    activations = np.asarray(look(np.concatenate(images)))
    for job, channel in zip(results["job"], results["direction_index"], strict=True):
        order = np.argsort(-activations[..., int(channel)].mean((1, 2)), kind="stable")
        for end, numbers in (("most", order[:6]), ("least", order[::-1][:6])):
            mine = kept[(kept["job"] == job) & (kept["end"] == end)].sort_values("place")
            found = [int(Path(path).stem.split("-")[1]) for path in mine["path"]]
            assert found == numbers.tolist()
    shown = np.asarray(Image.open(directory / kept["path"].iloc[0])) / 255
    number = int(Path(kept["path"].iloc[0]).stem.split("-")[1])
    np.testing.assert_allclose(shown, np.concatenate(images)[number], atol=0.51 / 255)
    again = ("direction.index=0,1,2", "seed=0,1", "hydra.launcher.resume=true")
    assert app("-m", *given, *again, "hydra.sweep.dir=some") == 0
    more = pd.read_parquet(directory / "reference_pictures.parquet")
    assert sorted(more["job"].unique()) == list(range(6))
    page = directory / "report.html"  # that the sweep wrote itself
    assert '"references":{"most":[[0,1,2' in page.read_text(encoding="utf-8")


def test_without_reference_images_there_is_no_table(app: App, tmp_path: Path) -> None:
    assert app("model=tiny", "steps=3", "reference_images=null", "hydra.run.dir=one") == 0
    assert not (tmp_path / "one" / "reference_pictures.parquet").exists()


def test_a_report_that_fails_is_a_warning(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(directories: object) -> None:
        raise KeyError("no such column")

    monkeypatch.setattr("sweeps.launcher.finish.report", broken)
    assert app("model=tiny", "steps=3", "hydra.run.dir=one") == 0
    assert (tmp_path / "one" / "results.parquet").exists()
    assert "no report: KeyError" in capsys.readouterr().out


def test_of_a_large_sweep_the_command_is_printed(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sweeps.launcher.finish._MOST_JOBS", 1)
    assert app("-m", "model=tiny", "steps=3", "seed=0,1", "hydra.sweep.dir=two") == 0
    assert "python -m sweeps.report two" in capsys.readouterr().out
    assert not (tmp_path / "two" / "report.html").exists()
