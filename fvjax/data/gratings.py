"""Coloured gratings, one for each of `planted`'s detectors.

A detector has one of three opponent colours, one of three frequencies and one of several
orientations. In their order the orientation changes fastest and the colour slowest.
"""

import numpy as np
from jaxtyping import Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width

COLOURS = ("luminance", "red-blue", "green-magenta")
FREQUENCIES = (0.12, 0.21, 0.31)  # cycles per pixel; none near another's third harmonic
# A detector is fully on from this / frequency: contrast in photographs, too, falls like that.
ENOUGH = 0.03  # cycles per pixel
# The colours are those in which photographs' colours are not correlated, nearly, in Lucid's order
# (`fvjax.parameterizations.parameterization.COLOUR`). A row is the most that a pixel can show of a
# colour alone.
_SHOWN = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)


def detectors(orientations: int) -> int:
    """Return the number of detectors of a bank."""
    return len(COLOURS) * len(FREQUENCIES) * orientations


def grating(
    index: int, size: ImageSize, orientations: int, contrast: float, phase: float = 0.0
) -> Float[np.ndarray, "height width 3"]:
    """Return the grating of detector `index` on grey; `phase` in turns at the centre."""
    checks.index("index", index, detectors(orientations))
    colour, gabor = divmod(index, len(FREQUENCIES) * orientations)
    frequency, orientation = divmod(gabor, orientations)
    turns = turns_of(size, FREQUENCIES[frequency], orientations)[orientation] + phase
    wave: np.ndarray = contrast * np.cos(2 * np.pi * turns)[..., None] * _SHOWN[colour]
    return (0.5 + 0.5 * wave).astype(np.float32)


def enough(index: int, orientations: int) -> float:
    """Return the contrast that saturates detector `index` for its own grating."""
    return ENOUGH / FREQUENCIES[index // orientations % len(FREQUENCIES)]


def turns_of(
    size: ImageSize, frequency: float, orientations: int
) -> list[Float[np.ndarray, "height width"]]:
    """Return the phase in turns of a wave of each orientation, 0 at the image's centre."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in height_width(size))
    angles = np.pi * np.arange(orientations) / orientations
    return [frequency * (np.cos(a) * x[None, :] + np.sin(a) * y[:, None]) for a in angles]
