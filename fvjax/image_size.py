"""The size of an image: one number for a square, or height and width, in pixels."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from fvjax import checks

ImageSize: TypeAlias = int | Sequence[int]  # pixels: one number, or height and width


def height_width(
    value: Any, name: str = "image_size", least: int = 1, most: int | None = None
) -> tuple[int, int]:
    """Return (height, width) of a size.

    Raises:
        ValueError: neither one nor two integers, or an integer outside `least` ... `most`.
    """
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != 2:
            raise ValueError(f"{name} must be a number or [height, width], got {value!r}")
        height, width = value
    else:
        height = width = value
    for side in (height, width):
        checks.count(name, side, least, most)
    return int(height), int(width)


def octave_sizes(size: ImageSize, octaves: int, scale: float) -> tuple[tuple[int, int], ...]:
    """Return (height, width) of each octave but the last, smallest first.

    Args:
        size: of the picture, which is the last octave.
        octaves: number of sizes at which the picture is made, itself included.
        scale: factor between the sides of two octaves, above 1; DeepDream's is 1.4.

    Raises:
        ValueError: no octave, a scale of at most 1, or an octave without pixels.
    """
    checks.count("octaves", octaves)
    checks.finite("octave_scale", scale)
    if not scale > 1:
        raise ValueError(f"octave_scale must be above 1, got {scale}")
    sides = height_width(size)
    sizes = []
    for smaller in range(octaves - 1, 0, -1):
        height, width = (round(side / scale**smaller) for side in sides)
        if min(height, width) < 1:
            raise ValueError(f"octaves={octaves} is too many: the smallest picture has no pixels")
        sizes.append((height, width))
    return tuple(sizes)
