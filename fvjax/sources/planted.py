"""Directions of known ground truth: features of the planted model, and feature images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.data import gratings
from fvjax.direction import Direction
from fvjax.image_size import ImageSize, height_width
from fvjax.models.planted import vectors_of
from fvjax.sources.direction_info import DirectionInfo, Kind
from fvjax.sources.image import At, point
from fvjax.sources.setup import Setup

_SINGULAR = 1e-5  # singular values below this share of the largest are rounding
_MARGIN = 1.2  # times the saturating contrast, because a detector's energy varies with the phase


@dataclass(frozen=True)
class Feature:
    """The vector that a feature adds to the layer; at layer `features`, a unit vector."""

    index: int = 0

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the unit vector."""
        rows = vectors_of(setup.model, setup.layer)
        return _row(rows, self.index, setup.layer, "feature", "vector")


@dataclass(frozen=True)
class Dual:
    """A feature's dual covector: 1 on the feature's vector, 0 on the other features' vectors.

    It is a row of the vectors' pseudo-inverse. If the vectors are linearly dependent (`superposed`
    at severity 1), it is the readout of least squared error.
    """

    index: int = 0

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the covector."""
        rows = np.asarray(vectors_of(setup.model, setup.layer), np.float64)
        dual = jnp.asarray(np.linalg.pinv(rows, rcond=_SINGULAR).T, jnp.float32)
        return _row(dual, self.index, setup.layer, "dual", "covector")


@dataclass(frozen=True)
class FeatureImage:
    """The activation of an image that shows one feature or several, and no others."""

    index: int | Sequence[int] = 0
    at: At = "center"

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the activation vector, with its length, of the sum of the features' gratings."""
        features = len(vectors_of(setup.model, setup.layer))
        indices = tuple(self.index) if isinstance(self.index, Sequence) else (self.index,)
        if isinstance(self.index, str):  # a string is a sequence
            indices = (self.index,)
        if not indices:
            raise ValueError("direction.index must name at least one feature, got none")
        for index in indices:
            checks.index("direction.index", index, features)
        orientations = features // (gratings.detectors(1) - 1)
        image = jnp.asarray(picture(indices, setup.image_size, orientations))
        info = point(setup, image, self.at, "+".join(str(i) for i in indices))
        return replace(info, feature=indices[0] if len(indices) == 1 else None)


def picture(
    indices: Sequence[int], size: ImageSize, orientations: int
) -> Float[np.ndarray, "height width 3"]:
    """Return the sum of the gratings of detectors, on grey.

    Each grating has the contrast that saturates its detector, or an equal share of all contrast if
    that is less, so that no pixel is clipped.
    """
    image = np.full((*height_width(size), 3), 0.5, np.float32)
    for index in indices:
        contrast = min(_MARGIN * gratings.enough(index, orientations), 1 / len(indices))
        image += gratings.grating(index, size, orientations, contrast) - 0.5
    return image


def _row(
    rows: Float[Array, "features channels"], index: int, layer: str, name: str, kind: Kind
) -> DirectionInfo:
    checks.index("direction.index", index, len(rows))
    direction = Direction(vector=rows[index], layer=layer)
    return DirectionInfo(direction, f"{layer}:{name} {index}", kind, feature=index)
