"""Layers with fast gradients: convolution, pooling, normalisation, redirected ReLU.

Every function works on (..., height, width, channels); leading axes are batch axes. Backward
passes are hand-written if XLA's backward pass is slow on a CPU: max-pooling's is a sum of shifted
copies instead of select-and-scatter. Convolution has its own file.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.ops.convolution import conv as conv  # among the layers, for networks
from fvjax.ops.primitive import primitive, stored
from fvjax.ops.winograd import Padding
from fvjax.types import Flag


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

    def axis(axis: int, back: int) -> tuple[Array, Array, Array]:
        """Return a window for each pixel, the pixel's place in it, and whether the pixel has both.

        The window is `back` windows before the last that may hold the pixel.
        """
        at = jnp.arange(size[axis]) + padding[axis][0]
        held, windows = at // stride - back, g.shape[axis - 3]
        place = at - held * stride
        both = (place < window) & (held >= 0) & (held < windows)
        held, place, both = (
            jnp.expand_dims(x, 1 - axis) for x in (jnp.clip(held, 0, windows - 1), place, both)
        )
        return held, place, both

    total, lead = jnp.zeros((), g.dtype), range(g.ndim - 3)
    for i in range(-(-window // stride)):
        rows, row_place, row_exists = axis(0, i)
        for j in range(-(-window // stride)):
            columns, column_place, column_exists = axis(1, j)
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


_LRN_WINDOW, _LRN_ALPHA = 5, 1e-4  # BVLC GoogLeNet's prototxt; beta is .75, k is 1


@jax.named_scope("normalization")
def local_response_norm(x: Float[Array, "*batch channels"]) -> Float[Array, "*batch channels"]:
    """Apply Caffe's LRN: x / (1 + alpha/window * sum of x^2 over nearby channels)^(3/4)."""
    return _lrn(x)


@jax.custom_vjp
def _lrn(x: Array) -> Array:
    return _lrn_forward(x)[0]


def _nearby(t: Array) -> Array:
    """Return the sum over the window of channels around each channel."""
    half, channels = _LRN_WINDOW // 2, t.shape[-1]
    padded = jnp.pad(t, ((0, 0),) * (t.ndim - 1) + ((half, half),))
    return sum((padded[..., i : i + channels] for i in range(_LRN_WINDOW)), jnp.zeros((), t.dtype))


def _lrn_forward(x: Array) -> tuple[Array, Array]:
    _, power = _lrn_powers(x)
    return stored(x * power), x


def _lrn_powers(x: Array) -> tuple[Array, Array]:
    """Return s^(-1/2) and s^(-3/4), where s is what is raised to the power of 3/4."""
    inverse = lax.rsqrt(1 + _LRN_ALPHA / _LRN_WINDOW * _nearby(x * x))
    return inverse, inverse * jnp.sqrt(inverse)


def _lrn_backward(x: Array, g: Array) -> tuple[Array]:
    """Compute the powers again where `x` is stored: a GPU spends more on reading them."""
    x = stored(x)
    inverse, power = _lrn_powers(x)
    spread = stored(g * x * power * inverse * inverse)
    x = stored(x)
    _, power = _lrn_powers(x)
    return (g * power - 2 * 0.75 * _LRN_ALPHA / _LRN_WINDOW * x * _nearby(spread),)


_lrn.defvjp(_lrn_forward, _lrn_backward)


@jax.named_scope("relu")
def relu(x: Float[Array, "*shape"], redirect: Flag = False) -> Float[Array, "*shape"]:
    """Return max(x, 0); with `redirect`, channels that block all gradient pass positive gradients.

    A channel that is 0 everywhere passes no gradient, and the picture stays grey. With `redirect`,
    such a channel passes the cotangents that would increase it. Cotangents are those of the
    maximised score; channels are the last axis. After Lucid's redirected_relu_grad, which decides
    by image: there, a gradient through other channels prevents redirection.
    """
    return _relu(x, redirect)


@jax.custom_vjp
def _relu(x: Array, redirect: Flag) -> Array:
    return _relu_forward(x, redirect)[0]


def _relu_forward(x: Array, redirect: Flag) -> tuple[Array, tuple[Array, Bool[Array, ""]]]:
    y = stored(jnp.maximum(x, 0))  # by a GPU's convolution, which then does not store x
    return y, (y, jnp.asarray(redirect))


def _relu_backward(saved: tuple[Array, Flag], g: Array) -> tuple[Array, Any]:
    y, redirect = saved
    g = stored(g)
    gated = jnp.where(y > 0, g, 0)
    (stuck,) = blocked(gated, redirect, space=min(max(g.ndim - 1, 0), 2))
    return jnp.where(stuck, jnp.maximum(g, 0), gated), None


def _no_gradient(gated: Array, redirect: Array, space: int) -> list[Array]:
    """Return whether to redirect, for each channel of each image with `space` axes of space.

    Comparing all gradients with 0 costs a tenth of a step. It is skipped while no image of the
    batch is redirected, even under vmap, which would turn a `cond` into a `select`.
    """
    axes = tuple(range(gated.ndim - 1 - space, gated.ndim - 1))

    def compare(gated: Array) -> Array:
        flags = jnp.expand_dims(redirect, range(redirect.ndim, gated.ndim))
        return flags & jnp.all(gated == 0, axis=axes, keepdims=True)

    def skip(gated: Array) -> Array:
        return jnp.zeros(_narrowed(gated, space), bool)

    return [lax.cond(jnp.any(redirect), compare, skip, gated)]


def _narrowed(gated: Any, space: int) -> tuple[int, ...]:
    return (*gated.shape[: gated.ndim - 1 - space], *[1] * space, *gated.shape[-1:])


blocked = primitive(
    "blocked",
    lambda gated, redirect, space: [(_narrowed(gated, space), jnp.bool_)],
    _no_gradient,
)


_relu.defvjp(_relu_forward, _relu_backward)
