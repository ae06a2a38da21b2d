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
