"""Array files are checked by what they declare before numbers are read."""

import io
import json
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from numpy.lib import format as npy
from safetensors.numpy import save_file

from fvjax.data.arrays import read_arrays


def refusal(path: Path) -> str:
    """The one sentence by which a file is refused, without the path."""
    with pytest.raises(ValueError) as caught:
        read_arrays(path)
    message = str(caught.value)
    assert message.startswith(f"{path} cannot be read: ") and "\n" not in message
    assert not re.search(r"[.!?]\s", message.removeprefix(str(path)))
    return message.removeprefix(f"{path} cannot be read: ")


def header(shape: tuple[int, ...], kind: str = "<f4", version: tuple[int, int] = (1, 0)) -> bytes:
    """The header of a .npy file, which may lie."""
    out = io.BytesIO()
    described = {"shape": shape, "fortran_order": False, "descr": kind}
    write = npy.write_array_header_1_0 if version == (1, 0) else npy.write_array_header_2_0
    write(out, described)
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".NPZ"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_arrays_come_back(suffix: str, version: tuple[int, int], tmp_path: Path) -> None:
    path, numbers = tmp_path / f"a{suffix}", np.arange(6, dtype=np.float32).reshape(2, 3)
    data = header((2, 3), version=version) + numbers.tobytes()
    if suffix == ".npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", data)
    (found,) = read_arrays(path).values()
    np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (header((10**11,)), "holds 0 bytes of numbers instead of 400000000000"),
        (header((2,)) + bytes(4), "holds 4 bytes of numbers instead of 8"),
        (header((2,)) + bytes(12), "holds 12 bytes of numbers instead of 8"),
        (header((-1, -2)) + bytes(8), "instead of"),
        (header((2,), "|O") + bytes(16), "holds object, not real numbers"),
        (header((2,), "|V2") + bytes(4), "holds |V2, as numpy writes bfloat16"),
        (header((2,), "<c8") + bytes(16), "holds complex64"),
        (b"\x93NUMPY\x03\x00" + bytes(20), "version 1 or 2"),
        (b"\x93NUMPY\x01\x00\x10\x00{'shape': (2**3,)", ""),
        (b"no array at all", "magic string"),
        (b"", ""),
    ],
)
def test_a_header_that_lies_is_refused(
    content: bytes, told: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
    assert told in refusal(path)


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((300 * 2**20 // 4,)))
        for _ in range(300):
            member.write(bytes(2**20))
    tracemalloc.start()
    assert "bytes unpacked" in refusal(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["x.txt", "x"])
def test_a_member_that_is_no_array_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"text")
    assert f"{name!r} is no array" in refusal(path)
    np.savez(path)
    assert refusal(path) == "it holds no arrays"


def test_only_plain_numbers_are_read_from_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": np.array([1, 2], ml_dtypes.bfloat16)}, path)
    assert read_arrays(path)["x"].astype(float).tolist() == [1, 2]
    text = json.dumps({"x": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(2))
    assert refusal(path) == "array 'x' holds F8_E4M3, not numbers: save it as float32"
    save_file({}, path)
    assert refusal(path) == "it holds no arrays"
