"""Pictures are read with the values they show; what cannot be read is refused in one sentence."""

import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fvjax.data.photos import MOST_PIXELS, SUFFIXES, read_photo

RAMP = np.tile(np.linspace(0, 1, 16), (16, 1))


def refusal(path: Path) -> str:
    """The one sentence by which a file is refused, without the path."""
    with pytest.raises(ValueError) as caught:
        read_photo(path, 16)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert not re.search(r"[.!?]\s", message.removeprefix(str(path)))
    return message.removeprefix(f"{path} cannot be read as a picture: ")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_sixteen_bits_are_scaled_by_their_range(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"ramp{suffix}"
    Image.fromarray(np.round(RAMP * 65535).astype(np.uint16)).save(path)
    found = read_photo(path, 16)
    np.testing.assert_allclose(found, np.repeat(RAMP[..., None], 3, -1), atol=1e-4)
    assert found.dtype == np.float32


def tiff(values: np.ndarray, bits: int) -> bytes:
    """An uncompressed gray TIFF with a number of bits, packed, as microscopes write 12 bits."""
    packed = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(*values.shape, 2), axis=-1)
    data = np.packbits(packed[..., 16 - bits :].reshape(len(values), -1), axis=-1).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags |= {279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in sorted(tags.items()))
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    return head + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_twelve_bits_too(tmp_path: Path) -> None:
    path = tmp_path / "ramp.tif"
    path.write_bytes(tiff(np.round(RAMP * 4095), 12))
    np.testing.assert_allclose(read_photo(path, 16)[..., 0], RAMP, atol=1e-3)


def test_floats_are_taken_in_their_range_alone(tmp_path: Path) -> None:
    path = tmp_path / "float.tif"
    Image.fromarray(RAMP.astype(np.float32)).save(path)
    np.testing.assert_allclose(read_photo(path, 16)[..., 1], RAMP, atol=1e-6)
    for wrong, told in {255.0: "from 0 to 255", -1.0: "from -1 to -0", np.nan: "nan"}.items():
        Image.fromarray((RAMP * wrong).astype(np.float32)).save(path)
        assert told in refusal(path)
    Image.fromarray((RAMP * 2**30).astype(np.int32)).save(path)
    assert refusal(path) == "it has gray values of 32 bits: save it with 8 or 16 bits"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparent_pixels_show_the_white_behind_them(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    options: dict[str, Any] = {}
    if mode in ("RGBA", "LA"):
        opaque = RAMP
        picture = Image.new("L", (16, 16), 10).convert(mode)
        picture.putalpha(Image.fromarray(np.round(RAMP * 255).astype(np.uint8)))
    else:
        opaque = (RAMP >= 0.5).astype(float)
        picture = Image.fromarray(np.where(opaque, 10, 7).astype(np.uint8))
        options = {"transparency": 7}
        if mode == "P":
            picture.putpalette([value for value in range(256) for _ in range(3)])
    picture.save(path, **options)
    expected = opaque * 10 / 255 + (1 - opaque)
    np.testing.assert_allclose(read_photo(path, 16)[..., 2], expected, atol=3e-3)


def test_postscript_is_never_given_to_ghostscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    for name in ("gs", "gswin32c"):  # found first, whether or not Ghostscript is installed
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert shutil.which("gs") == str(tmp_path / "gs")
    path = tmp_path / "x.png"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(OSError), Image.open(path) as opened:  # Pillow's own list would run it
        opened.load()
    marker.unlink()
    assert refusal(path) == "it is none of JPEG, PNG, WEBP, TIFF, BMP, GIF, PPM"
    assert not marker.exists() and ".eps" not in SUFFIXES


@pytest.mark.parametrize("side", [11_600, 20_000])
def test_a_bomb_is_refused_by_its_size_before_it_is_decoded(side: int, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pbm"
    path.write_bytes(b"P4 %d %d\n" % (side, side))  # which has no pixels to decode
    told = refusal(path)
    assert f"{side} x {side} pixels, more than {MOST_PIXELS}" in told or str(side**2) in told


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.jpg", b"", "it is empty"),
        ("page.jpg", b"<!DOCTYPE html>", "it is none of JPEG"),
        ("photo.png", b"\0\0\0\x18ftypheic\0\0\0\0", "it is none of JPEG"),
        ("cut.bmp", None, "truncated"),
    ],
)
def test_what_is_no_picture_is_told_apart(
    name: str, content: Any, told: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    Image.new("RGB", (16, 16)).save(path)
    path.write_bytes(path.read_bytes()[:100] if content is None else content)
    assert told in refusal(path)
