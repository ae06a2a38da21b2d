"""Lucid's standard transforms (pad, jitter, scale, rotate, jitter) as one warp of fixed shape."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.pytree import dataclass
from fvjax.types import Image, Key, Number

_SCALES = 5  # lucid/optvis/transform.py: 1 + (k - 5)/50 for k in range(11)
_ANGLES = 10  # range(-10, 11) degrees and five more zeros
_ZEROS = 5


@dataclass
class Standard:
    """Jitter, scale, rotate and jitter again, composed into a single bilinear warp.

    The view has the size of the image, and pixels outside the image are `fill`. (Lucid's views of
    128 pixels have 126 to 154 pixels, and Lucid pads 12 pixels of .5.) The draws have Lucid's
    distributions, multiplied by the strengths.
    """

    jitter: Number = 8.0  # pixels: a crop offset of 0 ... jitter, taken from the middle; Lucid: 8
    scale: Number = 0.1  # largest change of size: factors 1 - scale ... 1 + scale; Lucid: .1
    rotation: Number = 10.0  # largest angle, degrees; Lucid: 10
    late_jitter: Number = 4.0  # pixels, after the rotation; Lucid: 4
    fill: Number = 0.5  # the grey outside the image; Lucid: .5

    def __post_init__(self) -> None:
        """Refuse negative strengths, and a scale of 1 or above."""
        for name in ("jitter", "scale", "rotation", "late_jitter", "fill"):
            checks.not_negative(name, getattr(self, name))
        checks.below("scale", self.scale, 1)

    def __call__(self, key: Key, image: Image) -> Image:
        """Return a random view, resampled once."""
        draw = jax.random.uniform(key, (6,))  # one draw: each costs compile time
        early, late = _offset(draw[0:2], self.jitter), _offset(draw[2:4], self.late_jitter)
        steps = jnp.floor(draw[4] * (2 * _SCALES + 1)) - _SCALES
        factor = 1 + self.scale * steps / _SCALES
        turns = jnp.floor(draw[5] * (2 * _ANGLES + 1 + _ZEROS)) - _ANGLES
        turns = jnp.where(turns > _ANGLES, 0, turns)
        angle = jnp.deg2rad(self.rotation * turns / _ANGLES)

        height, width, _ = image.shape
        middle = (height - 1) / 2, (width - 1) / 2
        y = jnp.arange(height, dtype=image.dtype)[:, None] - middle[0] + late[0]
        x = jnp.arange(width, dtype=image.dtype)[None, :] - middle[1] + late[1]
        cosine, sine = jnp.cos(angle) / factor, jnp.sin(angle) / factor
        rows = (y * cosine - x * sine + early[0]) + middle[0]
        columns = (y * sine + x * cosine + early[1]) + middle[1]
        return _bilinear(image, rows, columns, self.fill)


def _offset(draw: Float[Array, "2"], jitter: Number) -> Float[Array, "2"]:
    """Return uniform crop offsets of 0 ... jitter in whole pixels, less the middle offset."""
    return jnp.floor(draw * (jitter + 1)) - jnp.floor(jitter / 2)


def _bilinear(
    image: Image, rows: Float[Array, "h w"], columns: Float[Array, "h w"], fill: Number
) -> Image:
    """Sample the image between its pixels; exact on them, `fill` outside."""
    height, width, channels = image.shape
    edge = (1, 1, 0)
    padded = lax.pad(image, jnp.asarray(fill, image.dtype), (edge, edge, (0, 0, 0)))
    rows, columns = jnp.clip(rows, -1, height), jnp.clip(columns, -1, width)
    top = jnp.minimum(jnp.floor(rows), height - 1)
    left = jnp.minimum(jnp.floor(columns), width - 1)
    # Gather four pixels at a time: the gradient's scatter takes as long for a single pixel.
    corners = jnp.stack([top, left], -1).astype(jnp.int32) + 1
    squares = lax.gather(
        padded,
        corners,
        lax.GatherDimensionNumbers(
            offset_dims=(2, 3, 4), collapsed_slice_dims=(), start_index_map=(0, 1)
        ),
        slice_sizes=(2, 2, channels),
        mode="promise_in_bounds",
    )
    down, across = (rows - top)[..., None, None], (columns - left)[..., None]
    pair = (1 - down) * squares[:, :, 0] + down * squares[:, :, 1]
    return (1 - across) * pair[:, :, 0] + across * pair[:, :, 1]
