"""Reference images come from a folder of photographs or from the generator, and nowhere else."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from fvjax.data.photos import read_folder, read_photo
from fvjax.data.reference import reference_images
from fvjax.data.textures import sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs, written in another order than that of their names."""
    for name, level in (("c.JPG", 90), ("a.png", 30), ("b.webp", 60)):
        Image.fromarray(np.full((20, 24, 3), level, np.uint8)).save(tmp_path / name)
    (tmp_path / ".DS_Store").write_text("not looked at")
    return tmp_path


def test_a_folders_photographs_come_by_name(folder: Path) -> None:
    images = list(read_folder(folder, 8))
    assert [image.shape for image in images] == [(8, 8, 3)] * 3
    np.testing.assert_allclose([image.mean() * 255 for image in images], [30, 60, 90], atol=2)
    np.testing.assert_array_equal(images[2], read_photo(folder / "c.JPG", 8))


@pytest.mark.parametrize(("count", "many"), [(2, 2), (3, 3), (9, 3), (None, 3)])
def test_a_count_takes_the_first_ones(folder: Path, count: int | None, many: int) -> None:
    images = list(reference_images(str(folder), 8, count))
    np.testing.assert_array_equal(images, list(read_folder(folder, 8))[:many])


@pytest.mark.parametrize("other", ["index.json", "deeper"])
def test_a_folder_with_anything_else_is_refused_naming_it(folder: Path, other: str) -> None:
    (folder / other).mkdir() if other == "deeper" else (folder / other).write_text("{}")
    with pytest.raises(ValueError, match=f"must hold nothing else, got .*{other}"):
        reference_images(str(folder), 8, 1)


def test_an_image_by_name_only_is_refused_naming_it(folder: Path) -> None:
    (folder / "b.webp").write_text("no image")
    with pytest.raises(ValueError, match=r"b\.webp is no image that Pillow can read"):
        list(reference_images(str(folder), 8, None))


def test_an_empty_folder_and_none_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no image in the folder"):
        read_folder(tmp_path, 8)
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        read_folder(tmp_path / "nowhere", 8)


def test_generated_images_are_the_generators_first_seeds() -> None:
    drawn = [jax.jit(sample)(jax.random.key(seed)).image for seed in range(2)]
    np.testing.assert_allclose(list(reference_images("generated", 64, 2)), drawn, atol=1e-6)
    (small,) = reference_images("generated", 16, 1)
    blocks = np.asarray(drawn[0]).reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert small.shape == (16, 16, 3) and float(np.abs(small - blocks).mean()) < 0.03


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("generatd", 8, 1), "images must be generated or a folder of photos, got 'generatd'"),
        ((None, 8, 1), "images must be generated or a folder of photos, got None"),
        (("generated", 8, None), "generated images have no end: count must say how many"),
        (("generated", 8, 0), "count must be an integer of at least 1, got 0"),
        (("generated", 0, 1), "size must be an integer of at least 1, got 0"),
    ],
)
def test_other_sources_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reference_images(*given)
