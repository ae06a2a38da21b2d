"""The error of arrays beside others, relative to the largest value: for zoo.py and zoo_keras.py."""

from typing import Any

import numpy as np


def relative_error(found: Any, expected: Any) -> float:
    """Return the largest difference of two arrays over the largest expected value.

    Raises:
        ValueError: arrays of different shapes.
    """
    if found.shape != expected.shape:
        raise ValueError(f"an array has shape {found.shape} instead of {expected.shape}")
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.abs(found - expected).max() / (np.abs(expected).max() + 1e-30))
