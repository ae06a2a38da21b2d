"""The nuisances of a generated image: what it has besides its labels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.pytree import dataclass
from fvjax.types import Key, Scalars

RANGES = {
    "x": (-1.0, 1.0),
    "y": (-1.0, 1.0),
    "radius": (20.0, 29.0),
    "rotation": (0.0, 360.0),
    "period": (7.5, 12.0),
    "angle": (0.0, 360.0),
    "phase": (0.0, 1.0),
    "shift": (-1.0, 1.0),
    "saturation": (0.75, 1.0),
    "value": (0.75, 1.0),
    "second": (0.0, 1.0),
    "background": (0.35, 0.65),
    "tint": (0.0, 360.0),
    "clutter": (0.0, 0.12),
    "light": (0.0, 0.3),
    "light_angle": (0.0, 360.0),
    "blur": (0.3, 0.9),
    "contrast": (0.7, 1.1),
    "brightness": (-0.08, 0.08),
    "noise": (0.0, 0.09),
}


@dataclass
class Nuisances:
    """Properties of an image besides its labels; each uniform on its range in `RANGES`.

    Lengths are in pixels, angles in degrees, colours and light in image values.
    """

    x: Scalars  # centre, -1 ... 1 of the way that keeps the shape inside the image
    y: Scalars
    radius: Scalars
    rotation: Scalars
    period: Scalars  # of the texture
    angle: Scalars  # of the texture
    phase: Scalars  # of the texture across its stripes, in periods
    shift: Scalars  # of the hue within its range, -1 ... 1
    saturation: Scalars
    value: Scalars  # brightness of the texture's main tone
    second: Scalars  # the other tone: dark below one half, light above
    background: Scalars  # brightness
    tint: Scalars  # hue of the faintly coloured background
    clutter: Scalars  # amplitude of the background's smooth pattern
    light: Scalars  # strength of the lighting gradient
    light_angle: Scalars
    blur: Scalars  # standard deviation
    contrast: Scalars  # gain about mid-grey
    brightness: Scalars  # added after the gain
    noise: Scalars  # standard deviation


def nuisances(key: Key) -> Nuisances:
    """Return random nuisances."""
    uniform = jax.random.uniform(key, (len(RANGES),))
    values = {
        name: low + (high - low) * uniform[i]
        for i, (name, (low, high)) in enumerate(RANGES.items())
    }
    return Nuisances(**values)


def nuisances_at(numbers: Float[Array, "nuisances"]) -> Nuisances:
    """Return the nuisances of unbounded numbers: a sigmoid's share of a range; angles in radians.

    Angles turn round, so that none has an end.
    """
    shares = jax.nn.sigmoid(numbers)
    values = {
        name: jnp.rad2deg(numbers[i]) if high == 360.0 else low + (high - low) * shares[i]
        for i, (name, (low, high)) in enumerate(RANGES.items())
    }
    return Nuisances(**values)
