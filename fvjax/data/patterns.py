"""The eight shapes, as signed distances, and the textures of the generated images."""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.types import Key, Scalar

SHAPES = ("disc", "square", "triangle", "ring", "star", "cross", "crescent", "heart")
TEXTURES = ("plain", "stripes", "checker", "dots", "zigzag", "rings", "blobs", "grid")
UNSEEN = ("spirals", "triangles", "weave")  # not in the networks' training data

Plane = Float[Array, "height width"]


def distances(x: Plane, y: Plane) -> Float[Array, "8 height width"]:
    """Return approximate signed distances to the edge of each of `SHAPES`; < 0 inside.

    The radius is about 1.

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
    planes = [math.cos(t) * x + math.sin(t) * y for t in turns]
    # Two at a time: XLA may compute a plane twice with other rounding, and then the gradient of
    # `max` over an axis divides by the number of planes that equal it, which is 0.
    return functools.reduce(jnp.maximum, planes) - math.cos(math.pi / sides)


def _star(x: Plane, y: Plane) -> Plane:
    """Return the distance to a star of five points: tips at radius 1.1, notches at 0.5."""
    tip, notch, half = 1.1, 0.5, math.pi / 5
    r = jnp.hypot(x, y)
    angle = jnp.mod(jnp.arctan2(y, x), 2 * half) - half  # 0 at a notch, +-half at a tip
    px, py = r * jnp.cos(angle), r * jnp.abs(jnp.sin(angle))
    edge = (tip * math.cos(half) - notch, tip * math.sin(half))
    return ((px - notch) * edge[1] - py * edge[0]) / math.hypot(*edge)


def _heart(ax: Plane, y: Plane) -> Plane:
    """Return the distance to a square on its corner with two discs; `ax` is |x|."""
    half, y = 0.5, 0.07 - y
    corner = half / math.sqrt(2)
    square = (ax + jnp.abs(y)) / math.sqrt(2) - half
    return jnp.minimum(square, jnp.hypot(ax - corner, y - corner) - half)


def patterns(
    across: Plane, along: Plane, phase: Scalar, key: Key
) -> Float[Array, "8 height width"]:
    """Return each of `TEXTURES`, in [-1, 1]; coordinates in periods about the shape's centre."""
    u, v = across + phase, along
    uniform = jnp.ones_like(u)
    stripes = _soft(3 * _triangle(u))
    checker = _soft(5 * _triangle(0.75 * u) * _triangle(0.75 * v))
    dots = _soft(4 - 4 * jnp.hypot(u - jnp.round(u), v - jnp.round(v)) / 0.31)
    zigzag = _soft(3 * _triangle(u + 0.55 * _triangle(0.5 * v)))
    rings = _soft(3 * _triangle(jnp.hypot(across, along) + phase))
    grid = _soft(5 * (jnp.maximum(_triangle(0.85 * u), _triangle(0.85 * v)) - 0.5))
    return jnp.stack([uniform, stripes, checker, dots, zigzag, rings, _blobs(u, v, key), grid])


def unseen(across: Plane, along: Plane, phase: Scalar, key: Key) -> Float[Array, "3 height width"]:
    """Return each of `UNSEEN`, in [-1, 1], for the arguments of `patterns`."""
    del key  # these textures are not random
    arms = jnp.arctan2(along, across) / math.pi  # two, so that opposite sides meet
    spirals = _soft(3 * _triangle(jnp.hypot(across, along) + arms + phase))
    u, v = across + phase, along
    return jnp.stack([spirals, _triangles(0.6 * u, 0.6 * v), _weave(u, v)])


def _triangles(u: Plane, v: Plane) -> Plane:
    """Return equilateral triangles of height 1: light or dark by their orientation."""
    half = math.sqrt(3) / 2
    lines = jnp.stack([u, half * v - u / 2, -half * v - u / 2])  # they add up to 0
    part = lines - jnp.floor(lines)  # sums to 1 in light triangles, to 2 in dark triangles
    light = part.sum(0) < 1.5
    return _soft(8 * jnp.where(light, part.min(0), (part - 1).max(0)))


def _weave(u: Plane, v: Plane) -> Plane:
    """Return squares of two stripes each, alternately across and along."""
    side = 1.5
    turned = jnp.mod(jnp.floor(u / side) + jnp.floor(v / side), 2) < 1
    return _soft(3 * _triangle(2 / side * jnp.where(turned, u, v)))


def _blobs(u: Plane, v: Plane, key: Key) -> Plane:
    """Return the sum of six random plane waves, 0.35 to 0.8 cycles per period."""
    total = jnp.zeros_like(u)
    for direction, length, phase in jax.random.uniform(key, (6, 3)):
        frequency = 0.35 + 0.45 * length
        turn = 2 * math.pi * direction
        total = total + _wave(frequency * (jnp.cos(turn) * u + jnp.sin(turn) * v) + phase)
    return _soft(1.1 * total)


def _soft(t: Plane) -> Plane:
    return jnp.clip(t, -1, 1)


def _triangle(t: Plane) -> Plane:
    """Return a triangle wave of period 1, in [-1, 1]."""
    return 4 * jnp.abs(t - jnp.floor(t) - 0.5) - 1


def _wave(t: Plane) -> Plane:
    """Return parabolas in place of sin(2 pi t): faster, with an error of at most 6 %."""
    t = t - jnp.round(t)
    return 8 * t * (1 - 2 * jnp.abs(t))
