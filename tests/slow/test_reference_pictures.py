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
from sweeps.report import report

pytestmark = pytest.mark.slow


def test_the_pictures_kept_are_those_that_excite_most_and_least(app: App, tmp_path: Path) -> None:
    given = ("model=tiny", "steps=3", "reference_images=generated", "reference_count=40")
    assert app("-m", *given, "direction.index=0,1", "seed=0,1", "hydra.sweep.dir=some") == 0
    directory = tmp_path / "some"
    kept = pd.read_parquet(directory / "reference_pictures.parquet")
    results = sweeps.load(directory)
    size = int(results["image_height"].iloc[0])
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
    assert '"references":{"most":[[0,1,2' in report([directory]).read_text(encoding="utf-8")


def test_without_reference_images_there_is_no_table(app: App, tmp_path: Path) -> None:
    assert app("model=tiny", "steps=3", "reference_images=null", "hydra.run.dir=one") == 0
    assert not (tmp_path / "one" / "reference_pictures.parquet").exists()
