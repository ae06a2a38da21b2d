"""Positions of images and of tokens."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from jax import Array

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.models.model import Model
from fvjax.positions import PatchGrid, center_index, index_of, patch_grid
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.transforms import Identity

SHAPES = {
    "image": (24, 24, 3),
    "patches": (3, 4, 8),
    "tokens": (13, 8),
    "registers": (17, 8),
    "text": (40, 8),
    "pooled": (8,),
}


@pytest.fixture(scope="module")
def clip() -> Model:
    return fvjax.load(str(ROOT / "tests" / "data" / "torch" / "clip.safetensors"))


def test_the_grid_of_tokens_is_that_of_the_patches_before_them() -> None:
    assert patch_grid(SHAPES, "tokens") == PatchGrid(1, 3, 4)
    assert patch_grid(SHAPES, "registers") == PatchGrid(5, 3, 4)
    for layer in ("image", "patches", "text", "pooled"):
        assert patch_grid(SHAPES, layer) is None


@pytest.mark.parametrize(
    ("layer", "position", "index"),
    [
        ("patches", "center", (1, 2)),
        ("patches", [2, 3], (2, 3)),
        ("tokens", "class", (0,)),
        ("tokens", "center", (1 + 4 + 2,)),
        ("tokens", [2, 3], (12,)),
        ("tokens", 12, (12,)),
        ("tokens", [5], (5,)),
        ("registers", [0, 0], (5,)),
        ("text", "center", (20,)),
        ("pooled", "center", None),
        ("tokens", "all", None),
    ],
)
def test_a_position_is_one_index_for_each_axis(layer: str, position: Any, index: Any) -> None:
    assert index_of(position, SHAPES[layer], layer, patch_grid(SHAPES, layer)) == index
    if position == "center" and index is not None:
        assert center_index(SHAPES, layer) == index


@pytest.mark.parametrize(
    ("layer", "position", "said"),
    [
        ("patches", "class", "no layer of tokens"),
        ("text", "class", "no token before its patches"),
        ("patches", 3, "positions of 2 indices"),
        ("tokens", 13, "from 0 to 12"),
        ("tokens", [3, 0], "from 0 to 2"),
        ("text", [3, 0], "positions of 1 indices"),
        ("tokens", True, "positions of 1 indices"),
        ("tokens", "clas", "class"),
    ],
)
def test_a_wrong_position_is_refused(layer: str, position: Any, said: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=said):
        index_of(position, SHAPES[layer], layer, patch_grid(SHAPES, layer))


@pytest.mark.slow
def test_an_image_excites_one_token_of_a_transformer_and_positions_share_a_program(
    clip: Model, key: Array
) -> None:
    layer = "encoder.layers.0"
    jobs = [
        fvjax.job(clip, layer=layer, channel=3, position=position, steps=4, transform=Identity())
        for position in ("class", "center", [2, 0])
    ]
    begin = clip(jnp.full((24, 24, 3), 0.5))[layer]
    for job, token in zip(jobs, (0, 1 + 3 + 1, 1 + 6), strict=True):
        assert job.direction.position.tolist() == [token]  # type: ignore[union-attr]
        shown = clip(fvjax.visualize(clip, job).image)[layer]
        assert shown[token, 3] > begin[token, 3]
    assert len({jax.tree.structure(job) for job in jobs}) == 1


@pytest.mark.slow
def test_reference_images_are_read_at_the_class_token_and_at_the_middle_patch(clip: Model) -> None:
    reference = ReferenceStatistics(clip, ReferenceImages("generated", (24, 24), 6))
    layer = "encoder.layers.0"
    tokens = np.stack([clip(jnp.asarray(reference.images.image(n)))[layer] for n in range(6)])
    places: list[tuple[Any, int]] = [("class", 0), ("center", 1 + 3 + 1), ([1, 1], 1 + 3 + 1)]
    for position, index in places:
        rows: Any = reference.rows(layer, position)
        np.testing.assert_allclose(rows, tokens[:, index], atol=1e-5)
    assert reference.rows(layer, [0, 0]) is None  # not stored
