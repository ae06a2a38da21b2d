"""Weights that are not exactly right are refused in one sentence, and nothing is unpickled."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fvjax.data.arrays import read_array, read_arrays
from fvjax.models.googlenet import googlenet
from fvjax.models.weights import read_weights

SHAPES = {"a/weight": (4, 3), "a/bias": (4,)}


def tensors() -> dict[str, np.ndarray]:
    return {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}


SAVE: dict[str, Callable[[Path, dict[str, Any]], Any]] = {
    ".safetensors": lambda path, t: save_file(t, path),
    ".npz": lambda path, t: np.savez(path, **t),
}
KINDS = pytest.mark.parametrize("suffix", list(SAVE))


class Bomb:
    """JobMetricInputs the moment it is unpickled."""

    exploded: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> tuple[Any, Any]:
        return Bomb.exploded.append, (1,)


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read_weights(path, SHAPES)
    message = str(caught.value)
    assert str(path) in message
    assert not re.search(r"[.!?]\s", message.replace(str(path), "")) and "\n" not in message
    return message


@KINDS
def test_right_weights_are_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    SAVE[suffix](path, tensors())
    found = read_weights(path, SHAPES)
    assert set(found) == set(SHAPES)
    np.testing.assert_array_equal(found["a/weight"], tensors()["a/weight"])


@KINDS
def test_a_missing_tensor_is_named(suffix: str, tmp_path: Path) -> None:
    path, wrong = tmp_path / f"w{suffix}", tensors()
    del wrong["a/bias"]
    SAVE[suffix](path, wrong)
    assert "lacks the tensor 'a/bias'" in refusal(path)


@KINDS
def test_an_extra_tensor_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    SAVE[suffix](path, tensors() | {"b": np.ones(2, np.float32)})
    assert "unknown tensor 'b'" in refusal(path)


@KINDS
def test_a_misshapen_tensor_is_named_with_both_shapes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    SAVE[suffix](path, tensors() | {"a/weight": np.ones((3, 4), np.float32)})
    message = refusal(path)
    assert "'a/weight'" in message and "(3, 4), expected (4, 3)" in message


@KINDS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_non_finite_tensor_is_named(suffix: str, bad: float, tmp_path: Path) -> None:
    path, wrong = tmp_path / f"w{suffix}", tensors()
    wrong["a/weight"][2, 1] = bad
    SAVE[suffix](path, wrong)
    message = refusal(path)
    assert "'a/weight'" in message and "not finite" in message


def test_a_tensor_of_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    arrays: dict[str, Any] = tensors() | {"a/bias": np.array(["a", "b", "c", "d"])}
    np.savez(path, **arrays)
    assert "'a/bias'" in refusal(path)


@KINDS
def test_a_tensor_of_integers_is_named(suffix: str, tmp_path: Path) -> None:
    path, wrong = tmp_path / f"w{suffix}", tensors()
    wrong["a/weight"] = wrong["a/weight"].astype(np.int8)  # as quantised networks have
    SAVE[suffix](path, wrong)
    assert refusal(path) == f"tensor 'a/weight' in {path} holds int8, but weights are floats"


@KINDS
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.98])
def test_a_truncated_file_is_refused(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    SAVE[suffix](path, tensors())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "cannot be read" in refusal(path)


def test_a_compressed_file_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    big: Any = {name: np.random.default_rng(0).normal(size=s) for name, s in SHAPES.items()}
    np.savez_compressed(path, **big)
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy"])
def test_a_pickle_under_another_name_is_refused_unread(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(pickle.dumps({"a/weight": Bomb()}))
    assert "cannot be read" in refusal(path)
    assert Bomb.exploded == []


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".bin", ""])
def test_an_unknown_kind_of_file_is_refused_unread(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(pickle.dumps({"a/weight": Bomb()}))
    assert "unknown file type of" in refusal(path)
    assert Bomb.exploded == []


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_an_array_of_objects_is_refused_unread(suffix: str, tmp_path: Path) -> None:
    path, objects = tmp_path / f"w{suffix}", np.array([Bomb()], object)
    arrays: Any = {"a/weight": objects}
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        np.save(path, objects)
    message = refusal(path)
    assert "cannot be read" in message and "unsafely" not in message
    assert Bomb.exploded == []


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    assert "there is no file" in refusal(tmp_path / "absent.npz")


def test_one_array_is_read_by_name_or_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", x=np.arange(3), y=np.arange(4))
    np.save(tmp_path / "one.npy", np.arange(5))
    assert read_array(tmp_path / "two.npz", "y").shape == (4,)
    assert read_array(tmp_path / "one.npy").shape == (5,)
    with pytest.raises(ValueError, match=r"holds 2 arrays \(x, y\): name one"):
        read_array(tmp_path / "two.npz")
    with pytest.raises(ValueError, match=r"unknown array in .*'z'"):
        read_array(tmp_path / "two.npz", "z")
    assert list(read_arrays(tmp_path / "one.npy")) == [""]


def test_weights_of_another_network_are_refused_by_the_network(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(tensors(), path)
    with pytest.raises(ValueError, match="lacks the tensor 'conv1/7x7_s2/weight'"):
        googlenet(path)
