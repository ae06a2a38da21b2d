"""The generator's image of weights of labels, in matrix products; differentiable in everything.

XLA computes an elementwise expression again in each operation that reads it, and stores what a
matrix product reads. So coordinates, colours and the blur are products here: the program of the
gradient is compiled in a tenth of the time.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.data.patterns import TEXTURES, distances, patterns
from fvjax.data.textures import HUES, SIZE, Nuisances, blur_taps, pixel_centres, rgb, tones
from fvjax.types import Image, Scalar

_KEY = 0  # of the random blobs


def render_mixture(
    shape: Float[Array, "8"], texture: Float[Array, "8"], hue: Float[Array, "8"], n: Nuisances
) -> Image:
    """Return the image of weights of the labels, each summing to 1, without pixel noise.

    Shapes are mixed as signed distances, textures as patterns, hues as colours. Where each label
    has weight 1, the image is that of `textures.render` with key 0 and no noise.
    """
    u, v, across, along, light = _coordinates(n)
    distance = jnp.einsum("k,kyx->yx", shape, distances(u, v)) * n.radius
    inside = jax.nn.sigmoid(-2.5 * distance)
    blob_key = jax.random.split(jax.random.key(_KEY), 3)[1]
    planes = patterns(across, along, n.phase, blob_key)
    mix = 0.5 + 0.5 * jnp.einsum("k,kyx->yx", texture, planes)

    main, second = jax.vmap(lambda label: tones(label, n))(jnp.arange(len(HUES)))
    back = rgb(n.tint, jnp.asarray(0.15), n.background)
    colours = jnp.stack([back, jnp.broadcast_to(n.clutter, 3), hue @ main, hue @ second])
    outside = 1 - inside
    shares = jnp.stack([outside, outside * _clutter(), inside * mix, inside * (1 - mix)])
    image = jnp.einsum("kyx,kc->yxc", shares, colours)
    image = _blurred(image * (1 + n.light * light)[..., None], n.blur)
    return jnp.clip((image - 0.5) * n.contrast + 0.5 + n.brightness, 0, 1)


def _coordinates(n: Nuisances) -> Float[Array, "5 height width"]:
    """Return the shape's two coordinates, the texture's two, and that along the light."""
    room = jnp.maximum(SIZE / 2 + 1 - n.radius, 0)
    centre = n.x * room, n.y * room
    light = _turned(n.light_angle, jnp.asarray(SIZE / 2), (jnp.zeros(()), jnp.zeros(())))[:1]
    shape, texture = _turned(n.rotation, n.radius, centre), _turned(n.angle, n.period, centre)
    x, y = pixel_centres()
    pixels = jnp.stack([x, y, jnp.ones_like(x)])
    return jnp.einsum("kd,dyx->kyx", jnp.concatenate([shape, texture, light]), pixels)


def _turned(degrees: Scalar, unit: Scalar, centre: tuple[Scalar, Scalar]) -> Float[Array, "2 3"]:
    """Return the affine map from (x, y, 1) to coordinates about `centre`, in `unit` pixels."""
    cosine, sine = jnp.cos(jnp.deg2rad(degrees)), jnp.sin(jnp.deg2rad(degrees))
    turn = jnp.stack([jnp.stack([cosine, sine]), jnp.stack([-sine, cosine])])
    return jnp.concatenate([turn, -(turn @ jnp.stack(centre))[:, None]], axis=1) / unit


@functools.cache
def _clutter() -> Float[Array, "height width"]:
    """Return the background's smooth pattern, which depends on the key alone."""
    with jax.ensure_compile_time_eval():
        x, y = pixel_centres()
        key = jax.random.split(jax.random.key(_KEY), 3)[2]
        return patterns(x / 20, y / 20, jnp.zeros(()), key)[TEXTURES.index("blobs")]


def _blurred(image: Image, sigma: Scalar) -> Image:
    """Filter as the generator does, its edges repeated."""
    places = jnp.clip(jnp.arange(SIZE)[:, None] + jnp.arange(-2, 3)[None], 0, SIZE - 1)
    filter_ = jnp.einsum("t,itj->ij", blur_taps(sigma), jax.nn.one_hot(places, SIZE))
    return jnp.einsum("yi,xj,ijc->yxc", filter_, filter_, image)
