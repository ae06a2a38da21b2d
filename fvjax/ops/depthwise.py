"""Depthwise convolution as a sum of shifted products, with its own backward pass.

XLA's grouped convolution with one channel to a group is slow on a CPU:
benchmarks/speed/depthwise.py measures both.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fvjax.ops.platform import activation_type
from fvjax.ops.primitive import stored
from fvjax.ops.winograd import Padding


@jax.named_scope("convolution")
def depthwise(
    x: Float[Array, "*batch height width channels"],
    kernel: Float[Array, "rows columns channels"],
    stride: int = 1,
    padding: Padding = ((0, 0), (0, 0)),
) -> Float[Array, "*batch out_height out_width channels"]:
    """Cross-correlate every channel of `x` with its own `kernel`; exact gradients for both."""
    kind = activation_type(kernel.dtype)
    return _depthwise(x.astype(kind), kernel.astype(kind), stride, padding)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _depthwise(x: Array, kernel: Array, stride: int, padding: Padding) -> Array:
    outputs = _outputs(x.shape, kernel.shape, stride, padding)
    return _sum_of_taps(_pad(stored(x), padding), kernel, stride, outputs)


def _outputs(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: Padding
) -> tuple[int, int]:
    height, width = (
        (n + sum(pad) - k) // stride + 1
        for n, k, pad in zip(size[-3:-1], kernel[:2], padding, strict=True)
    )
    return height, width


def _pad(x: Array, padding: Padding) -> Array:
    """Pad rows and columns with zeros; negative numbers cut."""
    lead = ((0, 0, 0),) * (x.ndim - 3)
    pads = [(low, high, 0) for low, high in padding]
    return lax.pad(x, jnp.zeros((), x.dtype), (*lead, *pads, (0, 0, 0)))


def _tap(x: Array, i: int, j: int, stride: int, outputs: tuple[int, int]) -> Array:
    """Return each output's input at row i and column j of its window."""
    rows, columns = (
        slice(k, k + (n - 1) * stride + 1, stride) for k, n in zip((i, j), outputs, strict=True)
    )
    return x[..., rows, columns, :]


def _sum_of_taps(x: Array, kernel: Array, stride: int, outputs: tuple[int, int]) -> Array:
    rows, columns, channels = kernel.shape
    y = jnp.zeros((*x.shape[:-3], *outputs, channels), x.dtype)
    ones = (1,) * (x.ndim - 1)
    for i in range(rows):
        for j in range(columns):
            y = y + _tap(x, i, j, stride, outputs) * kernel[i, j].reshape(*ones, channels)
    return y


def _forward(
    x: Any, kernel: Any, stride: int, padding: Padding
) -> tuple[Array, tuple[Any, Array, Array]]:
    y = _depthwise(x.value, kernel.value, stride, padding)
    empty = jnp.zeros((*x.value.shape[-3:-1], 0))  # stores the size
    return y, (x.value if kernel.perturbed else None, kernel.value, empty)


def _backward(
    stride: int, padding: Padding, saved: tuple[Any, Array, Array], g: Array
) -> tuple[Array, Array | None]:
    x, kernel, empty = saved
    height, width, _ = empty.shape
    dx = _input_gradient(stored(g), kernel, stride, padding, (height, width))
    if x is None:  # the kernel's gradient is not needed
        return dx, None
    padded, outputs = _pad(x, padding), (g.shape[-3], g.shape[-2])
    axes = tuple(range(g.ndim - 1))
    taps = [
        jnp.sum(_tap(padded, i, j, stride, outputs) * g, axes)
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    ]
    return dx, jnp.stack(taps).reshape(kernel.shape)


def _input_gradient(
    g: Array, kernel: Array, stride: int, padding: Padding, size: tuple[int, int]
) -> Array:
    """Return the gradient by the padded input, computed by phase of the stride, cut to the input.

    Pixel stride * m + phase receives output m - t times the kernel's row stride * t + phase.
    """
    blocks = [
        -(-max(n + low, 1) // stride) for n, (low, _) in zip(size, padding, strict=True)
    ]  # of stride x stride pixels, down to the input's last
    phases = []
    for i in range(stride):
        row = [_phase(g, kernel[i::stride, j::stride], blocks) for j in range(stride)]
        phases.append(jnp.stack(row, -2) if stride > 1 else row[0])
    dx = phases[0]
    if stride > 1:
        height, width = (stride * n for n in blocks)
        dx = jnp.stack(phases, -4).reshape(*g.shape[:-3], height, width, g.shape[-1])
    cut = tuple(
        (-low, n + low - stride * many)
        for n, (low, _), many in zip(size, padding, blocks, strict=True)
    )
    return _pad(dx, (cut[0], cut[1]))


def _phase(g: Array, kernel: Array, blocks: list[int]) -> Array:
    """Return the gradient of one phase: a correlation with the flipped kernel part.

    If the stride exceeds the kernel, a part may have no rows or columns, and its gradient is 0.
    """
    rows, columns, channels = kernel.shape
    if not rows or not columns:
        return jnp.zeros((*g.shape[:-3], *blocks, channels), g.dtype)
    around = tuple(
        (k - 1, many - n)
        for k, n, many in zip((rows, columns), g.shape[-3:-1], blocks, strict=True)
    )
    padded = _pad(g, (around[0], around[1]))
    return _sum_of_taps(padded, kernel[::-1, ::-1], 1, (blocks[0], blocks[1]))


_depthwise.defvjp(_forward, _backward, symbolic_zeros=True)
