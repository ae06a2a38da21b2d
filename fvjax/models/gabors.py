"""A bank of known detectors: coloured Gabors, each with its own saturation.

A detector is a quadrature pair of Gabors for one of three opponent colours, one of three
frequencies and one of several orientations. In their order the orientation changes fastest and the
colour slowest. Contrast is (image - .5) / .5 read along a colour; a grating's is at most 1.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.ops import layers
from fvjax.types import Image

COLOURS = ("luminance", "red-blue", "green-magenta")
FREQUENCIES = (0.12, 0.21, 0.31)  # cycles per pixel; none near another's third harmonic
WINDOW = 17  # pixels
STRIDE = 4  # pixels from one position to the next

_DEVIATION = 4.0  # of the Gaussian window, pixels
# A detector is fully on from this / frequency: contrast in photographs, too, falls like that.
_ENOUGH = 0.03  # cycles per pixel
# The colours are those in which photographs' colours are not correlated, nearly, in Lucid's order
# (`fvjax.parameterizations.parameterization.COLOUR`). A row of `_READ` times contrast in RGB is
# contrast along that colour; a row of `_SHOWN` is the most that a pixel can show of it alone.
_READ = np.array([[1, 1, 1], [1.5, 0, -1.5], [-1, 2, -1]], np.float32) / 3
_SHOWN = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)


def detectors(orientations: int) -> int:
    """Return the number of detectors of a bank."""
    return len(COLOURS) * len(FREQUENCIES) * orientations


def kernels(orientations: int) -> Float[np.ndarray, "window window 1 pairs"]:
    """Return the Gabors by frequency and orientation: all even filters, then all odd filters.

    Scaled such that a detector's grating gives energy even² + odd² = contrast², averaged over
    the grating's phase. Even colours give none.
    """
    grid = np.arange(WINDOW) - (WINDOW - 1) / 2
    window = np.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / (2 * _DEVIATION**2))
    window /= window.sum()
    pairs = []
    for frequency in FREQUENCIES:
        for turns in _turns(WINDOW, frequency, orientations):
            wave = np.exp(2j * np.pi * turns)
            gabor = window * wave
            gabor -= window * gabor.sum()
            # Of cos(2 pi turns + phase) it makes (A e^(i phase) + B e^(-i phase)) / 2.
            energy = (abs(np.sum(gabor * wave)) ** 2 + abs(np.sum(gabor * wave.conj())) ** 2) / 4
            pairs.append(gabor / np.sqrt(energy))
    stacked = np.stack(pairs, -1)
    both = np.concatenate([stacked.real, stacked.imag], -1, dtype=np.float32)
    return both[:, :, None]


def detect(
    image: Image, kernels: Float[Array, "window window 1 pairs"]
) -> Float[Array, "rows columns detectors"]:
    """Return each detector's activation, 0 ... 1, at every fourth position with a complete window.

    1 - (1 - e/s)² of the energy e up to s, and 1 beyond: a detector can be fully on, whatever the
    others do, and then asks for nothing more.
    """
    height, width, _ = image.shape
    if min(height, width) < WINDOW:
        raise ValueError(f"an image needs {WINDOW} x {WINDOW} pixels, got {height} x {width}")
    contrast = (2 * image - 1) @ jnp.asarray(_READ.T, image.dtype)
    maps = layers.conv(jnp.moveaxis(contrast, -1, 0)[..., None], kernels, STRIDE)
    even, odd = jnp.split(maps, 2, -1)
    energy = jnp.moveaxis(even**2 + odd**2, 0, 2)  # rows, columns, colours, gabors
    enough = np.repeat(_ENOUGH / np.array(FREQUENCIES), energy.shape[-1] // len(FREQUENCIES))
    missing = jnp.maximum(1 - energy / jnp.asarray(enough**2, energy.dtype)[None, None, None], 0)
    return 1 - missing.reshape(*energy.shape[:2], -1) ** 2


def grating(
    index: int, size: ImageSize, orientations: int, contrast: float, phase: float = 0.0
) -> Float[np.ndarray, "height width 3"]:
    """Return the grating of detector `index` on grey; `phase` in turns at the centre."""
    checks.index("index", index, detectors(orientations))
    colour, gabor = divmod(index, len(FREQUENCIES) * orientations)
    frequency, orientation = divmod(gabor, orientations)
    turns = _turns(size, FREQUENCIES[frequency], orientations)[orientation] + phase
    wave: np.ndarray = contrast * np.cos(2 * np.pi * turns)[..., None] * _SHOWN[colour]
    return (0.5 + 0.5 * wave).astype(np.float32)


def enough(index: int, orientations: int) -> float:
    """Return the contrast that saturates detector `index` for its own grating."""
    return _ENOUGH / FREQUENCIES[index // orientations % len(FREQUENCIES)]


def _turns(
    size: ImageSize, frequency: float, orientations: int
) -> list[Float[np.ndarray, "height width"]]:
    """Return the phase in turns of a wave of each orientation, 0 at the image's centre."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in height_width(size))
    angles = np.pi * np.arange(orientations) / orientations
    return [frequency * (np.cos(a) * x[None, :] + np.sin(a) * y[:, None]) for a in angles]
