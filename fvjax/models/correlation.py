"""Convolution whose gradients are right and quick.

The input gradient is an ordinary convolution with the flipped kernel: inside `lax.scan` XLA:CPU
otherwise picks a slow kernel layout. Which way is quickest on a CPU is measured by
benchmarks/layers.py.
"""

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fvjax.models.winograd import Padding, winograd

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_WINOGRAD = {3: (2, 4), 5: (2,)}  # kernel's side -> sides of tiles
_WINOGRAD_CHANNELS = 32  # at least
_LEAST_PIXELS = 64  # in a batch, for anything but XLA's own
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
    if min(min(padding)) < 0 or n * height * width < _LEAST_PIXELS:
        return None
    tiles = _WINOGRAD.get(rows, ()) if rows == columns else ()
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
