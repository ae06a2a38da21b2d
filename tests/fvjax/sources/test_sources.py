"""Sources yield the directions they are asked for, or say in one sentence why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import ExifTags, Image
from safetensors.numpy import save_file

import fvjax
from fvjax.data.photos import read_photo
from fvjax.models import Model
from fvjax.models.tiny import tiny
from fvjax.sources import Channel, DirectionInfo, Generated, Logit, Random, TopChannels, Vector
from fvjax.sources.setup import Setup

ROWS = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny()


def vector(info: DirectionInfo) -> np.ndarray:
    assert isinstance(info.direction, fvjax.Direction)
    return np.asarray(info.direction.vector)


def test_a_channel_is_one_hot(model: Model) -> None:
    info = Channel(index=5).resolve(Setup(model, "conv2", (32, 32)))
    np.testing.assert_array_equal(vector(info), np.eye(16)[5])
    assert info.direction.layer == "conv2"
    assert (info.label, info.kind, info.channel) == ("conv2:5", "covector", 5)


@pytest.mark.parametrize("several", [[2, 7], (2, 7)])
def test_several_channels_are_summed(model: Model, several: Any) -> None:
    info = Channel(index=several).resolve(Setup(model, "conv2", (32, 32)))
    np.testing.assert_array_equal(vector(info), np.eye(16)[2] + np.eye(16)[7])
    assert (info.label, info.channel) == ("conv2:2+7", None)
    assert Channel(index=[3]).resolve(Setup(model, "conv2", (32, 32))).channel == 3


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [16, -1, [1, 16], 1.5, "3", True, None])
def test_a_channel_out_of_range_is_refused(model: Model, bad: Any) -> None:
    with pytest.raises(ValueError, match=r"direction.index at layer 'conv2' must be .* 0 to 15"):
        Channel(index=bad).resolve(Setup(model, "conv2", (32, 32)))


def test_no_channel_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        Channel(index=[]).resolve(Setup(model, "conv2", (32, 32)))


def test_the_strongest_channels_lead_from_a_vector_to_a_neuron(model: Model) -> None:
    of = Random(seed=1)
    whole = vector(of.resolve(Setup(model, "conv2", (32, 32))))
    order = np.argsort(-np.abs(whole))
    for count in (1, 3, 16):
        info = TopChannels(of=of, count=count).resolve(Setup(model, "conv2", (32, 32)))
        expected = np.where(np.isin(np.arange(16), order[:count]), whole, 0)
        np.testing.assert_array_equal(vector(info), expected)
        assert info.kind == "covector"
        assert info.channel == (order[0] if count == 1 else None)
    with pytest.raises(ValueError, match=r"direction\.count must be .* 1 to 16, got 17"):
        TopChannels(of=of, count=17).resolve(Setup(model, "conv2", (32, 32)))


@pytest.mark.parametrize("source", [Channel(index=0), Random(seed=0)])
def test_an_unknown_layer_is_refused_naming_the_closest(model: Model, source: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'conv_2'.*did you mean conv2"):
        source.resolve(Setup(model, "conv_2", (32, 32)))


def test_a_logit_is_at_the_readout_whatever_the_layer(model: Model) -> None:
    info = Logit(index=4).resolve(Setup(model, "conv1", (32, 32)))
    np.testing.assert_array_equal(vector(info), np.eye(10)[4])
    assert (info.direction.layer, info.label) == ("logits", "logits:4")
    named = model.replace(classes=tuple("abcdefghij"))  # type: ignore[attr-defined]
    assert Logit(index=4).resolve(Setup(named, "conv1", (32, 32))).label == "e"
    with pytest.raises(ValueError, match=r"layer 'logits' must be .* 0 to 9, got 10"):
        Logit(index=10).resolve(Setup(model, "conv1", (32, 32)))
    with pytest.raises(ValueError, match="unknown layer"):
        Logit(index=0, layer="readout").resolve(Setup(model, "conv1", (32, 32)))


def test_only_logits_are_named_by_classes(model: Model) -> None:
    for count in (8, 10):  # as many as conv1 has channels; as many as there are logits
        named = model.replace(classes=tuple("abcdefghij"[:count]))  # type: ignore[attr-defined]
        assert (
            Logit(index=4, layer="conv1").resolve(Setup(named, "conv1", (32, 32))).label
            == "conv1:4"
        )
        assert (
            Logit(index=12, layer="conv2").resolve(Setup(named, "conv1", (32, 32))).label
            == "conv2:12"
        )
    with pytest.raises(ValueError, match=r"layer 'conv2' must be .* 0 to 15, got 16"):
        Logit(index=16, layer="conv2").resolve(Setup(named, "conv1", (32, 32)))


def test_a_random_direction_is_of_unit_length_and_reproducible(model: Model) -> None:
    one, again, other = (
        vector(Random(seed=s).resolve(Setup(model, "conv2", (32, 32)))) for s in (3, 3, 4)
    )
    assert one.shape == (16,)
    np.testing.assert_allclose(np.linalg.norm(one), 1, rtol=1e-6)
    np.testing.assert_array_equal(one, again)
    assert abs(one @ other) < 0.9
    assert Random(seed=3).resolve(Setup(model, "conv2", (32, 32))).kind == "vector"
    many = np.stack(
        [vector(Random(seed=s).resolve(Setup(model, "conv2", (32, 32)))) for s in range(64)]
    )
    assert np.abs(many.mean(0)).max() < 0.15  # five standard errors: no side is preferred


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [-1, 1.5, "a", 2**32, True])
def test_a_bad_seed_is_refused(model: Model, bad: Any) -> None:
    for source in (Random(seed=bad), Generated(seed=bad, at="mean")):
        with pytest.raises(ValueError, match=r"direction\.seed must be .* from 0 to 4294967295"):
            source.resolve(Setup(model, "conv2", (32, 32)))


def test_the_largest_seed_is_taken(model: Model) -> None:
    assert (
        Random(seed=2**32 - 1).resolve(Setup(model, "conv2", (32, 32))).label
        == "conv2:random 4294967295"
    )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [True, None, "middle", [1], {"row": 1, "column": 2}])
def test_a_place_that_is_none_is_refused(model: Model, bad: Any) -> None:
    with pytest.raises(
        ValueError, match=r"direction\.at must be center, mean, all, class, \[row, column\] or"
    ):
        Generated(seed=0, at=bad).resolve(Setup(model, "conv2", (32, 32)))


# How a camera stores an upright picture under each EXIF orientation.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: np.rot90,
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_read_upright(orientation: int, tmp_path: Path) -> None:
    upright = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    Image.fromarray(stored).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(np.round(255 * read_photo(tmp_path / "photo.png", 12)), upright)


@pytest.fixture(params=[".npy", ".npz", ".safetensors"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / f"rows{request.param}"
    if request.param == ".npy":
        np.save(path, ROWS)
    elif request.param == ".npz":
        np.savez(path, rows=ROWS)
    else:
        save_file({"rows": ROWS}, path)
    return str(path)


def test_a_vector_is_a_row_of_a_file_its_length_kept(model: Model, file: str) -> None:
    info = Vector(path=file, kind="point", index=2).resolve(Setup(model, "conv2", (32, 32)))
    np.testing.assert_array_equal(vector(info), ROWS[2])
    assert info.kind == "point" and info.label.startswith("conv2:rows.")
    assert vector(info).dtype == np.float32


@pytest.mark.usefixtures("unchecked")
def test_a_bad_row_or_layer_is_refused_naming_the_file(model: Model, file: str) -> None:
    with pytest.raises(ValueError, match=rf"direction.index in {file} must be .* 0 to 2, got 3"):
        Vector(path=file, kind="point", index=3).resolve(Setup(model, "conv2", (32, 32)))
    with pytest.raises(ValueError, match=rf"{file} holds vectors of shape \(16,\).* 8 channels"):
        Vector(path=file, kind="point").resolve(Setup(model, "conv1", (32, 32)))
    with pytest.raises(ValueError, match=r"unknown direction\.kind 'neuron'"):
        Vector(path=file, kind="neuron").resolve(Setup(model, "conv2", (32, 32)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown layer"):
        Vector(path=file, kind="point").resolve(Setup(model, "conv9", (32, 32)))


def test_one_vector_alone_and_one_array_of_several(model: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", ROWS[1].astype(np.float64))
    info = Vector(path=str(tmp_path / "one.npy"), kind="vector").resolve(
        Setup(model, "conv2", (32, 32))
    )
    np.testing.assert_array_equal(vector(info), ROWS[1])
    np.savez(tmp_path / "two.npz", a=ROWS, b=2 * ROWS)
    path = str(tmp_path / "two.npz")
    named = Vector(path=path, kind="vector", index=1, name="b").resolve(
        Setup(model, "conv2", (32, 32))
    )
    np.testing.assert_array_equal(vector(named), 2 * ROWS[1])
    with pytest.raises(ValueError, match="name one"):
        Vector(path=path, kind="vector").resolve(Setup(model, "conv2", (32, 32)))


@pytest.mark.parametrize(
    "rows",
    [np.zeros((1, 16)), np.full((1, 16), np.nan), np.ones((2, 2, 16)), np.full((1, 16), "a")],
    ids=["zero", "nan", "three axes", "text"],
)
def test_vectors_without_a_direction_are_refused(
    model: Model, rows: np.ndarray, tmp_path: Path
) -> None:
    path = str(tmp_path / "bad.npy")
    np.save(path, rows)
    with pytest.raises(ValueError, match=path):
        Vector(path=path, kind="vector").resolve(Setup(model, "conv2", (32, 32)))


def test_only_the_direction_is_made_of_leaves(model: Model) -> None:
    info = Channel(index=1).resolve(Setup(model, "conv2", (32, 32)))
    assert jnp.shape(info.direction.vector) == (16,)  # type: ignore[union-attr]
    other = Channel(index=2).resolve(Setup(model, "conv2", (32, 32)))
    structures = [type(s.direction) for s in (info, other)]
    assert structures[0] is structures[1]
