"""A bank of known detectors: coloured Gabors, each with its own saturation.

A detector is a quadrature pair of Gabors for a grating of `fvjax.data.gratings`, and in their
order. Contrast is (image - .5) / .5 read along a colour.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax.data.gratings import ENOUGH, FREQUENCIES, turns_of
from fvjax.ops import layers
from fvjax.types import Image

WINDOW = 17  # pixels
STRIDE = 4  # pixels from one position to the next

_DEVIATION = 4.0  # of the Gaussian window, pixels
# A row times contrast in RGB is contrast along a colour of `gratings.COLOURS`.
_READ = np.array([[1, 1, 1], [1.5, 0, -1.5], [-1, 2, -1]], np.float32) / 3


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
        for turns in turns_of(WINDOW, frequency, orientations):
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
    enough = np.repeat(ENOUGH / np.array(FREQUENCIES), energy.shape[-1] // len(FREQUENCIES))
    missing = jnp.maximum(1 - energy / jnp.asarray(enough**2, energy.dtype)[None, None, None], 0)
    return 1 - missing.reshape(*energy.shape[:2], -1) ** 2
