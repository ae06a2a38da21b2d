"""Generated 64 x 64 images of one shape, with known shape, texture, hue and recorded nuisances."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fvjax.data.patterns import SHAPES, TEXTURES, UNSEEN, distances, patterns, unseen
from fvjax.pytree import dataclass
from fvjax.types import Image, Images, Key, Scalar, Scalars

HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
ATTRIBUTES: dict[str, tuple[str, ...]] = {"shape": SHAPES, "texture": TEXTURES, "hue": HUES}
UNSEEN_ATTRIBUTES = ATTRIBUTES | {"texture": UNSEEN}
SIZE = 64  # pixels
VERSION = 1  # version of the generator
Patterns = Callable[[Array, Array, Scalar, Key], Float[Array, "count height width"]]
_DEGREES = (0.0, 30.0, 57.0, 120.0, 180.0, 225.0, 270.0, 318.0)  # centre of each hue
_WIDTHS = (8.0, 7.0, 6.0, 20.0, 14.0, 12.0, 11.0, 12.0)  # half of each hue's range, in degrees

_RANGES = {
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
    """Properties of an image besides its labels; each uniform on its range in `_RANGES`.

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


@dataclass
class Sample:
    """An image, its three labels (0 ... 7, names in `ATTRIBUTES`) and its nuisances."""

    image: Images
    shape: Int[Array, "*batch"]
    texture: Int[Array, "*batch"]
    hue: Int[Array, "*batch"]
    nuisances: Nuisances


def sample(key: Key) -> Sample:
    """Return a random image; labels are uniform and independent of each other and of nuisances."""
    return _sample(key, patterns, len(TEXTURES))


def sample_unseen(key: Key) -> Sample:
    """Return the image of `sample` with a texture of `UNSEEN`."""
    return _sample(key, unseen, len(UNSEEN))


def _sample(key: Key, textures: Patterns, count: int) -> Sample:
    labels_key, nuisances_key, render_key = jax.random.split(key, 3)
    most = jnp.array([len(SHAPES), count, len(HUES)])
    shape, texture, hue = jax.random.randint(labels_key, (3,), 0, most)
    drawn = nuisances(nuisances_key)
    image = render(shape, texture, hue, drawn, render_key, textures)
    return Sample(image=image, shape=shape, texture=texture, hue=hue, nuisances=drawn)


def nuisances(key: Key) -> Nuisances:
    """Return random nuisances."""
    return nuisances_at(jax.random.uniform(key, (len(_RANGES),)))


def nuisances_at(places: Float[Array, "20"]) -> Nuisances:
    """Return the nuisances at places from 0 to 1 in their ranges."""
    values = {
        name: low + (high - low) * places[i]
        for i, (name, (low, high)) in enumerate(_RANGES.items())
    }
    return Nuisances(**values)


def render(
    shape: Int[Array, ""] | int,
    texture: Int[Array, ""] | int,
    hue: Int[Array, ""] | int,
    nuisances: Nuisances,
    key: Key,
    textures: Patterns = patterns,
) -> Image:
    """Return the image of labels and nuisances; `key` draws pixel noise and the random blobs.

    `textures` draws all textures (`patterns` or `patterns.unseen`); `texture` selects one.
    """
    n = nuisances
    noise_key, blob_key, clutter_key = jax.random.split(key, 3)
    x, y = pixel_centres()
    room = jnp.maximum(SIZE / 2 + 1 - n.radius, 0)
    dx, dy = x - n.x * room, y - n.y * room

    u, v = _turn(dx / n.radius, dy / n.radius, n.rotation)
    distance = jnp.take(distances(u, v), shape, axis=0) * n.radius
    inside = jax.nn.sigmoid(-2.5 * distance)[..., None]

    across, along = _turn(dx / n.period, dy / n.period, n.angle)
    pattern = jnp.take(textures(across, along, n.phase, blob_key), texture, axis=0)
    main, second = tones(hue, n)
    mix = (0.5 + 0.5 * pattern)[..., None]
    front = main[None, None] * mix + second[None, None] * (1 - mix)

    slow = patterns(x / 20, y / 20, jnp.zeros(()), clutter_key)[TEXTURES.index("blobs")]
    back = rgb(n.tint, jnp.asarray(0.15), n.background)[None, None]
    image = back + n.clutter * slow[..., None]
    image = image + inside * (front - image)
    return _photograph(image, x, y, n, noise_key)


def pixel_centres() -> tuple[Array, Array]:
    """Return x and y of each pixel, from the image's centre."""
    places = jnp.arange(SIZE) - (SIZE - 1) / 2
    y, x = jnp.meshgrid(places, places, indexing="ij")
    return x, y


def _photograph(image: Image, x: Array, y: Array, n: Nuisances, key: Key) -> Image:
    along = _turn(x, y, n.light_angle)[0] / (SIZE / 2)
    image = _blurred(image * (1 + n.light * along)[..., None], n.blur)
    image = (image - 0.5) * n.contrast + 0.5 + n.brightness
    uniform = jax.random.uniform(key, image.shape, minval=-1.0, maxval=1.0)
    return jnp.clip(image + n.noise * jnp.sqrt(3.0) * uniform, 0, 1)


def tones(hue: Int[Array, ""] | int, n: Nuisances) -> tuple[Array, Array]:
    """Return the texture's main colour, and a dark or light colour of the same hue."""
    degrees = jnp.asarray(_DEGREES)[hue] + jnp.asarray(_WIDTHS)[hue] * n.shift
    dark = rgb(degrees, n.saturation, 0.1 + 0.3 * n.second)
    light = rgb(degrees, 0.6 - 0.4 * n.second, jnp.asarray(1.0))
    return rgb(degrees, n.saturation, n.value), jnp.where(n.second < 0.5, dark, light)


def rgb(degrees: Array, saturation: Array, value: Array) -> Float[Array, "3"]:
    """Return the colour of a hue in degrees, a saturation and a value from 0 to 1."""
    sector = jnp.mod(jnp.array([5.0, 3.0, 1.0]) + degrees / 60, 6)
    return value - value * saturation * jnp.clip(jnp.minimum(sector, 4 - sector), 0, 1)


def _turn(x: Array, y: Array, degrees: Array) -> tuple[Array, Array]:
    cosine, sine = jnp.cos(jnp.deg2rad(degrees)), jnp.sin(jnp.deg2rad(degrees))
    return cosine * x + sine * y, cosine * y - sine * x


def _blurred(image: Image, sigma: Scalar) -> Image:
    """Blur by a separable five-tap Gaussian."""
    taps = blur_taps(sigma)
    padded = jnp.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    rows = sum((taps[i] * padded[i : i + SIZE] for i in range(5)), jnp.zeros(()))
    return sum((taps[i] * rows[:, i : i + SIZE] for i in range(5)), jnp.zeros(()))


def blur_taps(sigma: Scalar) -> Float[Array, "5"]:
    """Return a Gaussian's values at -2 to 2 pixels, which sum to 1."""
    taps = jnp.exp(-0.5 * (jnp.arange(-2, 3) / sigma) ** 2)
    return taps / taps.sum()
