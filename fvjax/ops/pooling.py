"""Pooling; max-pooling's gradient is a sum over windows instead of XLA's select-and-scatter."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.ops.primitive import primitive, stored
from fvjax.ops.winograd import Padding


@jax.named_scope("pool")
def max_pool(
    x: Float[Array, "*batch height width channels"], window: int, stride: int, padding: Padding
) -> Float[Array, "*batch out_height out_width channels"]:
    """Return the maximum over windows; padding is minus infinity.

    The first of several equal maxima receives the gradient.
    """
    return _max_pooled(x, window, stride, padding)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _max_pooled(x: Array, window: int, stride: int, padding: Padding) -> Array:
    return _pool_forward(x, window, stride, padding)[0]


def ceil_padding(size: tuple[int, ...], window: int, stride: int) -> Padding:
    """Return Caffe's padding of the far sides: the last window starts inside the image."""
    high = [max(-(-(s - window) // stride), 0) * stride + window - s for s in size]
    return ((0, high[0]), (0, high[1]))


def _outputs(size: int, window: int, stride: int, pad: tuple[int, int]) -> int:
    return (size + sum(pad) - window) // stride + 1


def _pooled(x: Any, window: int, stride: int, padding: Padding) -> list[Any]:
    outputs = (_outputs(s, window, stride, p) for s, p in zip(x.shape[-3:-1], padding, strict=True))
    shape = (*x.shape[:-3], *outputs, x.shape[-1])
    return [(shape, x.dtype), (shape, jnp.int8)]


def _winners(x: Array, window: int, stride: int, padding: Padding) -> list[Array]:
    """Return the maxima, and the index of each maximum in its window."""
    height, width = _pooled(x, window, stride, padding)[0][0][-3:-1]
    lead = ((0, 0),) * (x.ndim - 3)
    padded = jnp.pad(x, (*lead, *padding, (0, 0)), constant_values=-jnp.inf)
    best = winner = None
    for i in range(window):
        for j in range(window):
            rows = slice(i, i + (height - 1) * stride + 1, stride)
            columns = slice(j, j + (width - 1) * stride + 1, stride)
            tap = padded[..., rows, columns, :]
            if best is None or winner is None:
                best, winner = tap, jnp.zeros(tap.shape, jnp.int8)
            else:
                winner = jnp.where(tap > best, jnp.int8(i * window + j), winner)
                best = jnp.maximum(best, tap)
    assert best is not None and winner is not None
    return [best, winner]


def pool_gradient(
    g: Array, winner: Array, size: tuple[int, int], window: int, stride: int, padding: Padding
) -> list[Array]:
    """Return the gradient by the input of `size` pixels: the sum over windows at their maxima."""
    height, width = size
    reach = (window - 1) // stride  # input s*m + phase receives from outputs m - reach ... m
    lead = ((0, 0),) * (g.ndim - 3)
    around = (*lead, (reach, reach), (reach, reach), (0, 0))
    g, winner = jnp.pad(g, around), jnp.pad(winner, around, constant_values=-1)
    rows, columns = g.shape[-3] - reach, g.shape[-2] - reach

    def of_phase(row_phase: int, column_phase: int) -> Array:
        total = jnp.zeros((*g.shape[:-3], rows, columns, g.shape[-1]), g.dtype)
        for i in range(row_phase, window, stride):
            for j in range(column_phase, window, stride):
                a, b = reach - i // stride, reach - j // stride
                here = (..., slice(a, a + rows), slice(b, b + columns), slice(None))
                total += jnp.where(winner[here] == i * window + j, g[here], 0)
        return total

    phases = [jnp.stack([of_phase(i, j) for j in range(stride)], -2) for i in range(stride)]
    dx = jnp.stack(phases, -4).reshape(*g.shape[:-3], rows * stride, columns * stride, -1)
    (top, _), (left, _) = padding
    missing = (
        (0, max(0, top + height - rows * stride)),
        (0, max(0, left + width - columns * stride)),
    )
    dx = jnp.pad(dx, (*lead, *missing, (0, 0)))
    return [dx[..., top : top + height, left : left + width, :]]


def pool_gradient_by_index(
    g: Array, winner: Array, size: tuple[int, int], window: int, stride: int, padding: Padding
) -> list[Array]:
    """Return what `pool_gradient` returns, from windows at clipped positions.

    On a GPU, reading a padded array takes a branch for each value; a clipped position takes none.
    """

    def windows_at(axis: int, back: int) -> tuple[Array, Array, Array]:
        """Return a window for each pixel, the pixel's place in it, and whether the pixel has both.

        The window is `back` windows before the last that may hold the pixel.
        """
        at = jnp.arange(size[axis]) + padding[axis][0]
        held, count = at // stride - back, g.shape[axis - 3]
        place = at - held * stride
        both = (place < window) & (held >= 0) & (held < count)
        held, place, both = (
            jnp.expand_dims(x, 1 - axis) for x in (jnp.clip(held, 0, count - 1), place, both)
        )
        return held, place, both

    total, lead = jnp.zeros((), g.dtype), range(g.ndim - 3)
    for i in range(-(-window // stride)):
        rows, row_place, row_exists = windows_at(0, i)
        for j in range(-(-window // stride)):
            columns, column_place, column_exists = windows_at(1, j)
            here = (..., rows, columns, slice(None))
            place = jnp.expand_dims(row_place * window + column_place, (*lead, g.ndim - 1))
            exists = jnp.expand_dims(row_exists & column_exists, (*lead, g.ndim - 1))
            won = exists & (winner.at[here].get(mode="promise_in_bounds") == place)
            total += jnp.where(won, g.at[here].get(mode="promise_in_bounds"), 0)
    return [total]


_max_pool = primitive("max_pool", _pooled, _winners)
_max_pool_gradient = primitive(
    "max_pool_gradient",
    lambda g, winner, size, **_: [((*g.shape[:-3], *size, g.shape[-1]), g.dtype)],
    pool_gradient,
    cuda=pool_gradient_by_index,
)


def _pool_forward(
    x: Array, window: int, stride: int, padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    best, winner = _max_pool(stored(x), window=window, stride=stride, padding=padding)
    best, winner = stored(best), stored(winner)
    return best, (winner, jnp.zeros((*x.shape[-3:-1], 0)))  # the empty array stores x's size


def _pool_backward(
    window: int, stride: int, padding: Padding, saved: tuple[Array, Array], g: Array
) -> tuple[Array]:
    winner, empty = saved
    how = {"window": window, "stride": stride, "padding": padding}
    (dx,) = _max_pool_gradient(stored(g), winner, size=empty.shape[:2], **how)
    return (stored(dx),)


_max_pooled.defvjp(_pool_forward, _pool_backward)


def average_pool(x: Float[Array, "*batch height width channels"], window: int) -> Array:
    """Return the mean over disjoint square windows; sides must be multiples of `window`."""
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height // window, window, width // window, window, channels)
    return x.mean((-4, -2))
