"""A .caffemodel is read without Caffe, and what is none is refused in one sentence."""

import random
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from caffe_writer import field, layer, network, varint

from fvjax.models.caffemodel import read_caffemodel


def small() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    shapes = {"conv/weight": (4, 3, 2, 2), "conv/bias": (4,), "fc/weight": (6, 4), "fc/bias": (6,)}
    return {k: draw.standard_normal(s).astype(np.float32) for k, s in shapes.items()}


@pytest.mark.parametrize("old", [False, True])
def test_blobs_come_back_under_caffe_s_names(old: bool, tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(network(small(), old))
    found = read_caffemodel(path)
    assert set(found) == {*small(), "loss1/classifier/weight", "loss1/classifier/bias"}
    for name, array in small().items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


def test_numbers_may_be_doubles_or_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    shape = field(7, b"".join(field(1, n) for n in (2, 1)))
    doubles = shape + field(8, np.array([1.5, 2.5]).tobytes())
    loose = shape + b"".join(varint(5 << 3 | 5) + struct.pack("<f", x) for x in (3, 4))
    path.write_bytes(field(100, field(1, "a") + field(7, doubles) + field(7, loose)))
    found = read_caffemodel(path)
    assert found["a/weight"].tolist() == [[1.5], [2.5]] and found["a/bias"].tolist() == [[3], [4]]


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read_caffemodel(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    assert not re.search(r"[.!?]\s", message.replace(str(path), ""))
    return message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no layer with weights"),
        (b"\x08", "ends within a number"),
        (b"\xff" * 12, "longer than ten bytes"),
        (b"\x00\x00", "the number 0"),
        (b"\x0b", "the wire type 3"),
        (b"\x0a\x05ab", "ends within a field"),
        (field(100, 3), "a number stands where a message should"),
        (field(100, field(1, "a") + field(7, field(7, field(1, 9)))), "holds 0 numbers for [9]"),
        (field(100, field(7, field(7, field(1, 2**40)))), "too long a one"),
        (layer("a", "x", np.ones(2)) * 2, "two layers are called 'a'"),
        (field(100, field(7, field(5, b"abc"))), "cannot be read"),
    ],
)
def test_broken_files_are_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(data)
    assert reason in refusal(path)


@pytest.mark.slow
def test_every_truncation_and_any_mutation_is_read_or_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "net.caffemodel", network(small(), old=False)
    for end in range(len(data)):
        path.write_bytes(data[:end])
        try:
            assert len(read_caffemodel(path)) < 6
        except ValueError as error:
            assert str(path) in str(error)
    draw, refused = random.Random(0), 0
    for _ in range(1000):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 2, 8))):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(bytes(changed))
        try:
            read_caffemodel(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 100
