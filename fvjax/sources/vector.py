"""Directions from a file: a vector, or a row of a matrix."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.data.arrays import read_array
from fvjax.direction import Direction
from fvjax.sources.direction_info import DirectionInfo, Kind
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class Vector:
    """A vector (channels,), or row `index` of a matrix (n, channels), such as a decoder."""

    path: str  # .npy, .npz or .safetensors
    kind: Kind = "vector"
    index: int = 0
    name: str | None = None  # name of the array, if the file holds several

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the vector with its length."""
        checks.choice("direction.kind", self.kind, ("point", "vector", "covector"))
        rows = np.atleast_2d(read_array(self.path, self.name)).astype(np.float32)
        channels = setup.channels()
        if rows.ndim != 2 or rows.shape[1] != channels:
            raise ValueError(
                f"{self.path} holds vectors of shape {rows.shape[1:]}, "
                f"layer {setup.layer!r} has {channels} channels"
            )
        checks.index(f"direction.index in {self.path}", self.index, len(rows))
        if not np.all(np.isfinite(rows[self.index])) or not np.any(rows[self.index]):
            raise ValueError(f"row {self.index} of {self.path} is zero or not finite")
        direction = Direction(vector=jnp.asarray(rows[self.index]), layer=setup.layer)
        return DirectionInfo(
            direction, f"{setup.layer}:{self.path.rsplit('/', 1)[-1]} {self.index}", self.kind
        )
