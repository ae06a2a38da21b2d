"""Directions from a file: one vector, or one row of a set."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.data.arrays import read_array
from fvjax.direction import Direction
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources.direction_info import DirectionInfo, Kind, channels_of


@dataclass(frozen=True)
class Vector:
    """A vector (channels,), or row `index` of a set (n, channels), such as a decoder's."""

    path: str  # .npy, .npz or .safetensors
    kind: Kind
    index: int = 0
    name: str | None = None  # of the array, where the file holds several

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The vector, its length kept."""
        checks.choice("direction.kind", self.kind, ("point", "vector", "covector"))
        rows = np.atleast_2d(read_array(self.path, self.name)).astype(np.float32)
        channels = channels_of(model, layer)
        if rows.ndim != 2 or rows.shape[1] != channels:
            raise ValueError(
                f"{self.path} holds vectors of shape {rows.shape[1:]}, "
                f"layer {layer!r} has {channels} channels"
            )
        checks.index(f"direction.index in {self.path}", self.index, len(rows))
        if not np.all(np.isfinite(rows[self.index])) or not np.any(rows[self.index]):
            raise ValueError(f"row {self.index} of {self.path} is zero or not finite")
        direction = Direction(vector=jnp.asarray(rows[self.index]), layer=layer)
        return DirectionInfo(
            direction, f"{layer}:{self.path.rsplit('/', 1)[-1]} {self.index}", self.kind
        )
