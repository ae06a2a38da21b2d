"""An image as contrasts of the gratings of `planted`'s detectors."""

import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.data import gratings
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size, normal
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number


@dataclass
class Gratings:
    """A sum of gratings, one for each detector of `planted`, with free contrasts and phases.

    A picture holds the known features and nothing else: an exact prior for `planted`.
    """

    learning_rate: ClassVar[float] = 0.02
    image_size: ImageSize = static()  # pixels: one number, or height and width
    orientations: int = static(default=4)  # of the bank of detectors; `planted`'s
    stddev: Number = 0.01  # of the initial contrasts

    def __post_init__(self) -> None:
        """Refuse a stddev of 0, and fewer than one orientation."""
        fix_size(self)
        checks.count("orientations", self.orientations)
        checks.positive("stddev", self.stddev)

    def init(self, key: Key) -> Float[Array, "2 detectors"]:
        """Return normal contrasts of each detector's cosine and sine."""
        return self.stddev * normal(key, (2, gratings.detectors(self.orientations)))

    def decode(self, params: Float[Array, "2 detectors"]) -> Image:
        """Return (1 + tanh of the sum) / 2: small contrasts are as they are, all are below 1."""
        waves = _waves(height_width(self.image_size), self.orientations)
        return 0.5 + 0.5 * jnp.tanh(jnp.einsum("pk,pkyxc->yxc", params, waves))


@functools.cache
def _waves(
    size: tuple[int, int], orientations: int
) -> Float[np.ndarray, "2 detectors height width 3"]:
    """Return each detector's grating of contrast 1 at phases of 0 and a quarter turn back."""
    detectors = range(gratings.detectors(orientations))
    return np.stack(
        [
            [2 * gratings.grating(i, size, orientations, 1.0, phase) - 1 for i in detectors]
            for phase in (0.0, -0.25)
        ]
    )
