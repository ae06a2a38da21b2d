"""Layers whose gradients are right and quick: convolution, pooling, normalisation, redirected ReLU.

Every function works on (..., height, width, channels); leading axes, if any, are a batch. The
backward passes are written by hand where XLA's own is slow on a CPU: convolution's input gradient
is an ordinary convolution with the flipped kernel (inside `lax.scan` XLA:CPU otherwise picks a slow
kernel layout), and max-pooling's is a sum of shifted copies instead of select-and-scatter.
Which way is quickest on a CPU is measured by benchmarks/layers.py.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.models.winograd import Padding, winograd
from fvjax.types import Flag

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_WINOGRAD = {3: (2, 4), 5: (2,)}  # kernel's side -> sides of tiles
_WINOGRAD_CHANNELS = 32  # at least
_WINOGRAD_PIXELS = 64  # in a batch, at least
_FEW_FEATURES = 16  # at most


def conv(
    x: Float[Array, "*batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    stride: int = 1,
    padding: Padding = ((0, 0), (0, 0)),
) -> Float[Array, "*batch out_height out_width features"]:
    """Cross-correlate `x` with `kernel`; exact gradients for both.

    A strided convolution is a stride-1 convolution over blocks of stride x stride pixels, and a 1x1
    convolution a matrix product, so that one backward formulation serves all.
    """
    x = x.astype(kernel.dtype)  # a network's constants may have widened it
    rows, columns, channels, features = kernel.shape
    if (rows, columns, stride) == (1, 1, 1) and padding == ((0, 0), (0, 0)):
        return (x.reshape(-1, channels) @ kernel[0, 0]).reshape(*x.shape[:-1], features)
    batch = x.shape[:-3]
    x = x.reshape(-1, *x.shape[-3:])
    if stride > 1:
        x, kernel, padding = _blocks(x, kernel, stride, padding)
    y = _conv(x, kernel, padding)
    return y.reshape(*batch, *y.shape[1:])


def _blocks(x: Array, kernel: Array, stride: int, padding: Padding) -> tuple[Array, Array, Padding]:
    """Rewrite a strided convolution as one of stride 1 over (stride x stride)-pixel blocks."""
    rows, columns, channels, features = kernel.shape
    pads, taps = [], []
    for size, width, (low, high) in zip(x.shape[1:3], (rows, columns), padding, strict=True):
        outputs = (size + low + high - width) // stride + 1
        taps.append(-(-width // stride))
        pads.append((low, (outputs - 1 + taps[-1]) * stride - size - low))
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*p, 0) for p in pads), (0, 0, 0)))
    n, height, width, _ = x.shape
    x = x.reshape(n, height // stride, stride, width // stride, stride, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // stride, width // stride, -1)
    fill = [(0, t * stride - k) for t, k in zip(taps, (rows, columns), strict=True)]
    kernel = jnp.pad(kernel, (*fill, (0, 0), (0, 0)))
    kernel = kernel.reshape(taps[0], stride, taps[1], stride, channels, features)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(*taps, -1, features)
    return x, kernel, ((0, 0), (0, 0))


@cache
def _correlation(padding: Padding) -> Callable[[Array, Array], Array]:
    """Correlation of stride 1 for one padding; under vmap it sees the whole batch."""

    @jax.custom_batching.custom_vmap
    def correlate(x: Array, kernel: Array) -> Array:
        quick, other = _on_cpu(x.shape, kernel.shape, padding), partial(plain, padding=padding)
        if quick is None or jnp.finfo(x.dtype).bits < 32:
            return other(x, kernel)
        y: Array = lax.platform_dependent(x, kernel, cpu=quick, default=other)
        return y

    @correlate.def_vmap
    def _(size: int, batched: list[bool], x: Array, kernel: Array) -> tuple[Array, bool]:
        if batched[1]:
            axes = [0 if one else None for one in batched]
            return jax.vmap(partial(plain, padding=padding), axes)(x, kernel), True
        y = correlate(x.reshape(-1, *x.shape[2:]), kernel)
        return y.reshape(size, -1, *y.shape[1:]), True

    return correlate


def plain(x: Array, kernel: Array, padding: Padding) -> Array:
    """XLA's own correlation of stride 1."""
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_LAYOUT)


def _on_cpu(
    x: tuple[int, ...], kernel: tuple[int, ...], padding: Padding
) -> Callable[[Array, Array], Array] | None:
    """A quicker way than XLA's, if there is one."""
    n, height, width, channels = x
    rows, columns, _, features = kernel
    tiles = _WINOGRAD.get(rows, ()) if rows == columns else ()
    if min(min(padding)) >= 0 and n * height * width >= _WINOGRAD_PIXELS:
        if tiles and min(channels, features) >= _WINOGRAD_CHANNELS:
            out = (height + sum(padding[0]) - rows + 1, width + sum(padding[1]) - rows + 1)

            def products(m: int) -> int:
                return -(-out[0] // m) * -(-out[1] // m) * (m + rows - 1) ** 2

            return partial(winograd, padding=padding, m=min(tiles, key=products))
        if features <= _FEW_FEATURES and min(rows, columns) > 1:
            return partial(by_rows, padding=padding)
    return None


def by_rows(x: Array, kernel: Array, padding: Padding) -> Array:
    """Correlation with each row of the kernel apart, then summed.

    For few features: the products are as many times wider as the kernel has rows.
    """
    rows, columns, channels, features = kernel.shape
    wide = kernel.transpose(1, 2, 0, 3).reshape(1, columns, channels, rows * features)
    parts = plain(x, wide, ((0, 0), padding[1]))
    parts = parts.reshape(*parts.shape[:3], rows, features)
    (top, bottom), zero = padding[0], jnp.zeros((), x.dtype)
    y = jnp.zeros((), x.dtype)
    for i in range(rows):
        shift = (top - i, bottom - (rows - 1 - i), 0)
        y = y + lax.pad(parts[..., i, :], zero, ((0, 0, 0), shift, (0, 0, 0), (0, 0, 0)))
    return y


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv(x: Array, kernel: Array, padding: Padding) -> Array:
    return _correlation(padding)(x, kernel)


def _conv_forward(x: Array, kernel: Array, padding: Padding) -> tuple[Array, tuple[Array, Array]]:
    return _conv(x, kernel, padding), (x, kernel)


def _conv_backward(padding: Padding, saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, kernel = saved
    rows, columns = kernel.shape[:2]
    (top, bottom), (left, right) = padding
    # The barrier keeps the flipping of fixed weights out of a loop around it.
    flipped = lax.optimization_barrier(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    back = ((rows - 1 - top, rows - 1 - bottom), (columns - 1 - left, columns - 1 - right))
    dx = _correlation(back)(g, flipped)
    # One matrix product per kernel tap; XLA drops all of it when nobody asks for weight gradients.
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    height, width = g.shape[1:3]
    flat = g.reshape(-1, g.shape[-1])
    taps = [
        padded[:, i : i + height, j : j + width].reshape(-1, x.shape[-1]).T @ flat
        for i in range(rows)
        for j in range(columns)
    ]
    return dx, jnp.stack(taps).reshape(kernel.shape)


_conv.defvjp(_conv_forward, _conv_backward)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def max_pool(
    x: Float[Array, "*batch height width channels"], window: int, stride: int, padding: Padding
) -> Float[Array, "*batch out_height out_width channels"]:
    """Maximum over windows; padding never wins. Among equal maxima the first takes the gradient."""
    return _max_pool(x, window, stride, padding)[0]


def ceil_padding(size: tuple[int, ...], window: int, stride: int) -> Padding:
    """Caffe's rounding: pad the far side until the last window starts inside the image."""
    high = [max(-(-(s - window) // stride), 0) * stride + window - s for s in size]
    return ((0, high[0]), (0, high[1]))


def _outputs(size: int, window: int, stride: int, pad: tuple[int, int]) -> int:
    return (size + sum(pad) - window) // stride + 1


def _max_pool(x: Array, window: int, stride: int, padding: Padding) -> tuple[Array, Array]:
    height, width = (
        _outputs(s, window, stride, p) for s, p in zip(x.shape[-3:-1], padding, strict=True)
    )
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
    return best, winner


def _pool_forward(
    x: Array, window: int, stride: int, padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    best, winner = _max_pool(x, window, stride, padding)
    return best, (winner, jnp.zeros((*x.shape[-3:-1], 0)))  # the empty array carries x's size


def _pool_backward(
    window: int, stride: int, padding: Padding, saved: tuple[Array, Array], g: Array
) -> tuple[Array]:
    winner, empty = saved
    height, width = empty.shape[:2]
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
    return (dx[..., top : top + height, left : left + width, :],)


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
    blocked = _blocked(min(max(g.ndim - 1, 0), 2))(gated, redirect)
    return jnp.where(blocked, jnp.maximum(g, 0), gated), None


@cache
def _blocked(space: int) -> Callable[[Array, Array], Array]:
    """Whether to redirect, for each channel of each image; of so many axes of space.

    Looking at all gradients costs a tenth of a step, so that it is skipped while no image of the
    whole batch is redirected: under vmap too, where a plain `cond` would always look.
    """

    @jax.custom_batching.custom_vmap
    def blocked(gated: Array, redirect: Array) -> Array:
        axes = tuple(range(gated.ndim - 1 - space, gated.ndim - 1))

        def look(gated: Array) -> Array:
            flags = jnp.expand_dims(redirect, range(jnp.ndim(redirect), gated.ndim))
            return flags & jnp.all(gated == 0, axis=axes, keepdims=True)

        def skip(gated: Array) -> Array:
            return jnp.zeros([1 if i in axes else n for i, n in enumerate(gated.shape)], bool)

        found: Array = lax.cond(jnp.any(redirect), look, skip, gated)
        return found

    @blocked.def_vmap
    def _(size: int, batched: list[bool], gated: Array, redirect: Array) -> tuple[Array, bool]:
        gated, redirect = (
            x if one else jnp.broadcast_to(x, (size, *jnp.shape(x)))  # a constant is a bare bool
            for x, one in zip((gated, redirect), batched, strict=True)
        )
        return blocked(gated, redirect), True

    return blocked


relu.defvjp(_relu_forward, _relu_backward)
