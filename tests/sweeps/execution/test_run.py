"""What a job writes: its picture has the opacity of MACO where that is asked for."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sweeps
from fvjax.models.tiny import tiny

QUICK = ["steps=3", "transform=none", "judge=null", "reference_images=null", "metrics=none"]


def picture(directory: Path, *overrides: str) -> Image.Image:
    table = sweeps.run([*QUICK, *overrides], model=tiny(3), directory=directory)
    (row,) = table.to_dict("records")
    return Image.open(io.BytesIO(row["image"]["bytes"]))


@pytest.mark.slow
def test_transparency_is_the_picture_s_alpha_and_leaves_its_colours(tmp_path: Path) -> None:
    plain = np.asarray(picture(tmp_path / "plain"))
    clear = np.asarray(picture(tmp_path / "clear", "transparency=true"))
    assert plain.shape == (32, 32, 3) and clear.shape == (32, 32, 4)
    assert np.abs(plain.astype(int) - clear[..., :3]).max() <= 1
    alpha = clear[..., 3]
    opaque = (alpha == 255).mean()
    assert 0.15 < opaque < 0.3 and alpha.min() < 255  # the upper fifth


@pytest.mark.slow
def test_several_images_have_one_each(tmp_path: Path) -> None:
    keys = ("transparency=true", "images_per_job=2", "penalty=diversity")
    clear = np.asarray(picture(tmp_path / "two", *keys))
    assert clear.shape == (32, 64, 4)
