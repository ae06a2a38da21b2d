"""Transparent pictures are shown as a network sees them."""

import io

import numpy as np
from PIL import Image

from sweeps.results.contact_sheet import tile
from sweeps.results.flatten import flatten


def test_transparent_pictures_lie_over_grey() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0], pixels[:2, :, 3] = 200, 255
    rgb = np.asarray(flatten(Image.fromarray(pixels)))
    assert (rgb[:2] == [200, 0, 0]).all() and (rgb[2:] == 128).all()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    shown = tile({"bytes": buffer.getvalue()}, 4)
    np.testing.assert_array_equal(shown, rgb)


def test_opaque_pictures_stay() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(np.asarray(flatten(Image.fromarray(pixels))), pixels)
