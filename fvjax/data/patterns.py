"""The eight shapes, as signed distances, and the textures of the generated images."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.types import Key, Scalar

SHAPES = ("disc", "square", "triangle", "ring", "star", "cross", "crescent", "heart")
TEXTURES = ("plain", "stripes", "checker", "dots", "zigzag", "rings", "blobs", "grid")
UNSEEN = ("spirals", "triangles", "weave")  # in no image that a network was trained on

Plane = Float[Array, "height width"]


def distances(x: Plane, y: Plane) -> Float[Array, "8 height width"]:
    """Approximate signed distance to the edge of each of `SHAPES`, radius about 1; < 0 inside.

    Ring, cross and crescent are thick enough to show more than one period of a texture.
    """
    r, ax, ay = jnp.hypot(x, y), jnp.abs(x), jnp.abs(y)
    disc = r - 0.85
    square = jnp.maximum(ax, ay) - 0.74
    triangle = _polygon(0.88 * x, 0.88 * y, 3)
    ring = jnp.abs(r - 0.66) - 0.3
    upright = jnp.maximum(ax - 0.95, ay - 0.36)
    level = jnp.maximum(ay - 0.95, ax - 0.36)
    cross = jnp.minimum(upright, level)
    crescent = jnp.maximum(r - 0.95, 0.62 - jnp.hypot(x - 0.5, y))
    return jnp.stack([disc, square, triangle, ring, _star(x, y), cross, crescent, _heart(ax, y)])


def _polygon(x: Plane, y: Plane, sides: int) -> Plane:
    turns = [2 * math.pi * i / sides for i in range(sides)]
    planes = jnp.stack([math.cos(t) * x + math.sin(t) * y for t in turns])
    return planes.max(0) - math.cos(math.pi / sides)


def _star(x: Plane, y: Plane) -> Plane:
    """Five points: tips at radius 1.1, notches at 0.5."""
    tip, notch, half = 1.1, 0.5, math.pi / 5
    r = jnp.hypot(x, y)
    angle = jnp.mod(jnp.arctan2(y, x), 2 * half) - half  # 0 at a notch, +-half at a tip
    px, py = r * jnp.cos(angle), r * jnp.abs(jnp.sin(angle))
    edge = (tip * math.cos(half) - notch, tip * math.sin(half))
    return ((px - notch) * edge[1] - py * edge[0]) / math.hypot(*edge)


def _heart(ax: Plane, y: Plane) -> Plane:
    """A square on its corner and a disc on each of its two upper sides; `ax` is |x|."""
    half, y = 0.5, 0.07 - y
    corner = half / math.sqrt(2)
    square = (ax + jnp.abs(y)) / math.sqrt(2) - half
    return jnp.minimum(square, jnp.hypot(ax - corner, y - corner) - half)


def patterns(
    across: Plane, along: Plane, phase: Scalar, key: Key
) -> Float[Array, "8 height width"]:
    """Each of `TEXTURES`, in [-1, 1]; coordinates in periods about the shape's centre."""
    u, v = across + phase, along
    plain = jnp.ones_like(u)
    stripes = _soft(3 * _triangle(u))
    checker = _soft(5 * _triangle(0.75 * u) * _triangle(0.75 * v))
    dots = _soft(4 - 4 * jnp.hypot(u - jnp.round(u), v - jnp.round(v)) / 0.31)
    zigzag = _soft(3 * _triangle(u + 0.55 * _triangle(0.5 * v)))
    rings = _soft(3 * _triangle(jnp.hypot(across, along) + phase))
    grid = _soft(5 * (jnp.maximum(_triangle(0.85 * u), _triangle(0.85 * v)) - 0.5))
    return jnp.stack([plain, stripes, checker, dots, zigzag, rings, _blobs(u, v, key), grid])


def unseen(across: Plane, along: Plane, phase: Scalar, key: Key) -> Float[Array, "3 height width"]:
    """Each of `UNSEEN`, in [-1, 1]; arguments as those of `patterns`."""
    del key  # none of them is random
    arms = jnp.arctan2(along, across) / math.pi  # two, so that opposite sides meet
    spirals = _soft(3 * _triangle(jnp.hypot(across, along) + arms + phase))
    u, v = across + phase, along
    return jnp.stack([spirals, _triangles(0.6 * u, 0.6 * v), _weave(u, v)])


def _triangles(u: Plane, v: Plane) -> Plane:
    """Equilateral triangles of height 1: those that point one way light, the others dark."""
    half = math.sqrt(3) / 2
    lines = jnp.stack([u, half * v - u / 2, -half * v - u / 2])  # they add up to 0
    part = lines - jnp.floor(lines)  # these to 1 in the light ones, to 2 in the dark
    light = part.sum(0) < 1.5
    return _soft(8 * jnp.where(light, part.min(0), (part - 1).max(0)))


def _weave(u: Plane, v: Plane) -> Plane:
    """Squares of two stripes each, across and along by turns."""
    side = 1.5
    turned = jnp.mod(jnp.floor(u / side) + jnp.floor(v / side), 2) < 1
    return _soft(3 * _triangle(2 / side * jnp.where(turned, u, v)))


def _blobs(u: Plane, v: Plane, key: Key) -> Plane:
    """Six plane waves of random direction, 0.35 to 0.8 cycles per period."""
    total = jnp.zeros_like(u)
    for direction, length, phase in jax.random.uniform(key, (6, 3)):
        frequency = 0.35 + 0.45 * length
        turn = 2 * math.pi * direction
        total = total + _wave(frequency * (jnp.cos(turn) * u + jnp.sin(turn) * v) + phase)
    return _soft(1.1 * total)


def _soft(t: Plane) -> Plane:
    return jnp.clip(t, -1, 1)


def _triangle(t: Plane) -> Plane:
    """Triangle wave of period 1, in [-1, 1]."""
    return 4 * jnp.abs(t - jnp.floor(t) - 0.5) - 1


def _wave(t: Plane) -> Plane:
    """Parabolas in place of sin(2 pi t): quicker, and within 6 % of it."""
    t = t - jnp.round(t)
    return 8 * t * (1 - 2 * jnp.abs(t))
