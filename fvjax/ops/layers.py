"""Layers whose gradients are right and quick: convolution, pooling, normalisation, redirected ReLU.

Every function works on (..., height, width, channels); leading axes, if any, are a batch. The
backward passes are written by hand where XLA's own is slow on a CPU: max-pooling's is a sum of
shifted copies instead of select-and-scatter; convolution has a file of its own.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.ops.convolution import conv as conv  # among the layers, for networks
from fvjax.ops.primitive import primitive
from fvjax.ops.winograd import Padding
from fvjax.types import Flag


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def max_pool(
    x: Float[Array, "*batch height width channels"], window: int, stride: int, padding: Padding
) -> Float[Array, "*batch out_height out_width channels"]:
    """Maximum over windows; padding never wins. Among equal maxima the first takes the gradient."""
    return _pool_forward(x, window, stride, padding)[0]


def ceil_padding(size: tuple[int, ...], window: int, stride: int) -> Padding:
    """Caffe's rounding: pad the far side until the last window starts inside the image."""
    high = [max(-(-(s - window) // stride), 0) * stride + window - s for s in size]
    return ((0, high[0]), (0, high[1]))


def _outputs(size: int, window: int, stride: int, pad: tuple[int, int]) -> int:
    return (size + sum(pad) - window) // stride + 1


def _pooled(x: Any, window: int, stride: int, padding: Padding) -> list[Any]:
    outputs = (_outputs(s, window, stride, p) for s, p in zip(x.shape[-3:-1], padding, strict=True))
    shape = (*x.shape[:-3], *outputs, x.shape[-1])
    return [(shape, x.dtype), (shape, jnp.int8)]


def _winners(x: Array, window: int, stride: int, padding: Padding) -> list[Array]:
    """The maxima, and which pixel of the window each is."""
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


def _scattered(
    g: Array, winner: Array, size: tuple[int, int], window: int, stride: int, padding: Padding
) -> list[Array]:
    """The gradient at the winners of the windows, summed; of so many pixels."""
    height, width = size
    reach = (window - 1) // stride  # input s*m + phase hears from outputs m - reach ... m
    lead = ((0, 0),) * (g.ndim - 3)
    around = (*lead, (reach, reach), (reach, reach), (0, 0))
    g, winner = jnp.pad(g, around), jnp.pad(winner, around, constant_values=-1)
    rows, columns = g.shape[-3] - reach, g.shape[-2] - reach

    def heard(phase: int, other: int) -> Array:
        total = jnp.zeros((*g.shape[:-3], rows, columns, g.shape[-1]), g.dtype)
        for i in range(phase, window, stride):
            for j in range(other, window, stride):
                a, b = reach - i // stride, reach - j // stride
                here = (..., slice(a, a + rows), slice(b, b + columns), slice(None))
                total += jnp.where(winner[here] == i * window + j, g[here], 0)
        return total

    phases = [jnp.stack([heard(i, j) for j in range(stride)], -2) for i in range(stride)]
    dx = jnp.stack(phases, -4).reshape(*g.shape[:-3], rows * stride, columns * stride, -1)
    (top, _), (left, _) = padding
    missing = (
        (0, max(0, top + height - rows * stride)),
        (0, max(0, left + width - columns * stride)),
    )
    dx = jnp.pad(dx, (*lead, *missing, (0, 0)))
    return [dx[..., top : top + height, left : left + width, :]]


_max_pool = primitive("max_pool", _pooled, _winners)
_max_pool_gradient = primitive(
    "max_pool_gradient",
    lambda g, winner, size, **_: [((*g.shape[:-3], *size, g.shape[-1]), g.dtype)],
    _scattered,
)


def _pool_forward(
    x: Array, window: int, stride: int, padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    best, winner = _max_pool(x, window=window, stride=stride, padding=padding)
    return best, (winner, jnp.zeros((*x.shape[-3:-1], 0)))  # the empty array carries x's size


def _pool_backward(
    window: int, stride: int, padding: Padding, saved: tuple[Array, Array], g: Array
) -> tuple[Array]:
    winner, empty = saved
    how = {"window": window, "stride": stride, "padding": padding}
    (dx,) = _max_pool_gradient(g, winner, size=empty.shape[:2], **how)
    return (dx,)


max_pool.defvjp(_pool_forward, _pool_backward)


def average_pool(x: Float[Array, "*batch height width channels"], window: int) -> Array:
    """Mean over non-overlapping square windows; height and width must be multiples of `window`."""
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height // window, window, width // window, window, channels)
    return x.mean((-4, -2))


_LRN_WINDOW, _LRN_ALPHA = 5, 1e-4  # BVLC GoogLeNet's prototxt; beta is .75, k is 1


@jax.custom_vjp
def local_response_norm(x: Float[Array, "*batch channels"]) -> Float[Array, "*batch channels"]:
    """Caffe's normalisation across channels: x / (1 + alpha/window * sum of x^2 nearby)^(3/4)."""
    return _lrn_forward(x)[0]


def _nearby(t: Array) -> Array:
    """Sum over the window of channels around each channel."""
    half, channels = _LRN_WINDOW // 2, t.shape[-1]
    padded = jnp.pad(t, ((0, 0),) * (t.ndim - 1) + ((half, half),))
    return sum((padded[..., i : i + channels] for i in range(_LRN_WINDOW)), jnp.zeros((), t.dtype))


def _lrn_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    inverse = lax.rsqrt(1 + _LRN_ALPHA / _LRN_WINDOW * _nearby(x * x))  # s^(-1/2)
    return x * inverse * jnp.sqrt(inverse), (x, inverse)


def _lrn_backward(saved: tuple[Array, Array], g: Array) -> tuple[Array]:
    x, inverse = saved
    power = inverse * jnp.sqrt(inverse)  # s^(-3/4)
    spread = _nearby(g * x * power * inverse * inverse)
    return (g * power - 2 * 0.75 * _LRN_ALPHA / _LRN_WINDOW * x * spread,)


local_response_norm.defvjp(_lrn_forward, _lrn_backward)


@jax.custom_vjp
def relu(x: Float[Array, "*shape"], redirect: Flag = False) -> Float[Array, "*shape"]:
    """max(x, 0); while `redirect` is on, a channel that would block all gradient lets some through.

    A unit at 0 everywhere passes no gradient, and its picture stays grey. With `redirect` such a
    channel of such an image passes the part of the cotangent that pushes it up. Cotangents are of
    the score, which is maximised; channels are the last axis. After Lucid's redirected_relu_grad,
    but by channel: a test over the whole image is defeated by a gradient through other channels.
    """
    return jnp.maximum(x, 0)


def _relu_forward(x: Array, redirect: Flag = False) -> tuple[Array, tuple[Array, Bool[Array, ""]]]:
    return jnp.maximum(x, 0), (x > 0, jnp.asarray(redirect))


def _relu_backward(saved: tuple[Array, Bool[Array, ""]], g: Array) -> tuple[Array, Any]:
    on, redirect = saved
    gated = jnp.where(on, g, 0)
    (stuck,) = blocked(gated, redirect, space=min(max(g.ndim - 1, 0), 2))
    return jnp.where(stuck, jnp.maximum(g, 0), gated), None


def _no_gradient(gated: Array, redirect: Array, space: int) -> list[Array]:
    """Whether to redirect, for each channel of each image; of so many axes of space.

    Looking at all gradients costs a tenth of a step, so that it is skipped while no image of the
    whole batch is redirected: under vmap too, where a plain `cond` would always look.
    """
    axes = tuple(range(gated.ndim - 1 - space, gated.ndim - 1))

    def look(gated: Array) -> Array:
        flags = jnp.expand_dims(redirect, range(redirect.ndim, gated.ndim))
        return flags & jnp.all(gated == 0, axis=axes, keepdims=True)

    def skip(gated: Array) -> Array:
        return jnp.zeros(_narrowed(gated, space), bool)

    return [lax.cond(jnp.any(redirect), look, skip, gated)]


def _narrowed(gated: Any, space: int) -> tuple[int, ...]:
    return (*gated.shape[: gated.ndim - 1 - space], *[1] * space, *gated.shape[-1:])


blocked = primitive(
    "blocked",
    lambda gated, redirect, space: [(_narrowed(gated, space), jnp.bool_)],
    _no_gradient,
)


relu.defvjp(_relu_forward, _relu_backward)
