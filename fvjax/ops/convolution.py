"""Convolution with fast gradients.

The input gradient is an ordinary convolution with the flipped kernel: inside `lax.scan`, XLA:CPU
otherwise picks a slow kernel layout. benchmarks/speed/layers.py measures the CPU implementations.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fvjax.ops.platform import activation_type
from fvjax.ops.primitive import primitive
from fvjax.ops.products import bfloat16_unit, matmul, wide_product
from fvjax.ops.winograd import Padding, winograd

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_WINOGRAD = {3: (2, 4), 5: (2,)}  # kernel's side -> sides of tiles
_WINOGRAD_CHANNELS = 32  # least number of channels
_LEAST_TILES = 16  # in a batch; for fewer tiles, reading the transformed kernel dominates
_LEAST_PIXELS = 64  # in a batch; XLA's convolution is used below
_FEW_FEATURES = 16  # largest number of features for `by_rows`
_LEAST_INPUTS = 64  # least number of columns x channels for `by_products`
_LEAST_FEATURES = 16  # the same of features


@jax.named_scope("convolution")
def conv(
    x: Float[Array, "*batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    stride: int = 1,
    padding: Padding = ((0, 0), (0, 0)),
) -> Float[Array, "*batch out_height out_width features"]:
    """Cross-correlate `x` with `kernel`; exact gradients for both.

    A strided convolution is a stride-1 convolution over blocks of stride x stride pixels, and a 1x1
    convolution a matrix product, so that all share one backward pass.
    """
    x = x.astype(activation_type(kernel.dtype))  # a network's constants may have widened it
    rows, columns, channels, features = kernel.shape
    if (rows, columns, stride) == (1, 1, 1) and padding == ((0, 0), (0, 0)):
        return matmul(x, kernel.reshape(channels, features))
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


def xla_conv(x: Array, kernel: Array, padding: Padding) -> Array:
    """Apply XLA's correlation of stride 1."""
    kernel = kernel.astype(x.dtype)
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_LAYOUT)


def _on_cpu(
    x: tuple[int, ...], kernel: tuple[int, ...], padding: Padding
) -> Callable[[Array, Array], Array] | None:
    """Return an implementation faster than XLA's for these shapes, or None."""
    n, height, width, _ = x
    if min(min(padding)) < 0 or n * height * width < _LEAST_PIXELS:
        return None
    if tile := _winograd_tile(x, kernel, padding):
        return partial(winograd, padding=padding, m=tile)
    return partial(by_rows, padding=padding) if _few_features(kernel) else None


def _winograd_tile(x: tuple[int, ...], kernel: tuple[int, ...], padding: Padding) -> int | None:
    """Return the side of Winograd's tiles with the fewest multiplications; None without tiles."""
    n, height, width, channels = x
    rows, columns, _, features = kernel
    tiles = _WINOGRAD.get(rows, ()) if rows == columns else ()
    if not tiles or min(channels, features) < _WINOGRAD_CHANNELS:
        return None
    out = (height + sum(padding[0]) - rows + 1, width + sum(padding[1]) - rows + 1)
    count = {m: -(-out[0] // m) * -(-out[1] // m) for m in tiles}
    wide = [m for m in tiles if n * count[m] >= _LEAST_TILES] or [min(tiles)]
    return min(wide, key=lambda m: count[m] * (m + rows - 1) ** 2)


def _few_features(kernel: tuple[int, ...]) -> bool:
    rows, columns, _, features = kernel
    return features <= _FEW_FEATURES and min(rows, columns) > 1


def by_rows(x: Array, kernel: Array, padding: Padding) -> Array:
    """Correlate with each row of the kernel separately, then sum.

    For few features: the number of rows multiplies the width of the matrix products. Sums are
    rounded as `x` is.
    """
    rows, columns, channels, features = kernel.shape
    wide = kernel.transpose(1, 2, 0, 3).reshape(1, columns, channels, rows * features)
    return _sum_of_rows(xla_conv(x, wide, ((0, 0), padding[1])), rows, padding[0])


def by_products(x: Array, kernel: Array, padding: Padding) -> Array:
    """Correlate by one matrix product of factors in bfloat16, with sums in float32.

    One factor has the inputs at all columns of the kernel side by side. The other factor has the
    rows of the kernel side by side; their products are shifted and summed.
    """
    rows, columns, channels, features = kernel.shape
    # As integers, XLA copies them without a detour by float32.
    bits = lax.bitcast_convert_type(x.astype(jnp.bfloat16), jnp.uint16)
    pads = ((0, 0, 0), (0, 0, 0), (*padding[1], 0), (0, 0, 0))
    # Without the barrier, XLA computes what `x` is fused with again for each column.
    bits = lax.optimization_barrier(lax.pad(bits, jnp.uint16(0), pads))
    n, height, width = bits.shape[:3]
    width -= columns - 1
    shifted = jnp.stack([bits[:, :, j : j + width] for j in range(columns)], 3)
    inputs = lax.bitcast_convert_type(shifted, jnp.bfloat16).reshape(-1, columns * channels)
    wide = kernel.transpose(1, 2, 0, 3).reshape(columns * channels, rows * features)
    # The barrier lets XLA lift the transposition out of a surrounding loop.
    parts = wide_product(inputs, lax.optimization_barrier(wide))
    return _sum_of_rows(parts.reshape(n, height, width, -1), rows, padding[0]).astype(x.dtype)


def _sum_of_rows(parts: Array, rows: int, padding: tuple[int, int]) -> Array:
    """Sum the products with each row of the kernel, (batch, height, width, rows * features)."""
    parts = parts.reshape(*parts.shape[:3], rows, -1)
    (top, bottom), zero = padding, jnp.zeros((), parts.dtype)
    y = zero
    for i in range(rows):
        shift = (top - i, bottom - (rows - 1 - i), 0)
        y = y + lax.pad(parts[..., i, :], zero, ((0, 0, 0), shift, (0, 0, 0), (0, 0, 0)))
    return y


def _fastest_on_cpu(x: Array, kernel: Array, padding: Padding) -> Array:
    if kernel.dtype == jnp.bfloat16 and _quick_in_bfloat16(x.shape, kernel.shape, padding):
        return by_products(x, kernel, padding)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    quick = _on_cpu(x.shape, kernel.shape, padding) or partial(xla_conv, padding=padding)
    return quick(wide, kernel.astype(wide.dtype)).astype(x.dtype)


def _quick_in_bfloat16(x: tuple[int, ...], kernel: tuple[int, ...], padding: Padding) -> bool:
    """Return whether products of bfloat16 are the fastest on this processor.

    AVX-512 does twice the multiplications in bfloat16, and Winograd's tiles of 4 need a fourth.
    """
    _, columns, channels, features = kernel
    large = columns * channels >= _LEAST_INPUTS and features >= _LEAST_FEATURES
    unit = bfloat16_unit()
    if unit is None or not large:
        return False
    return unit == "amx_bf16" or _winograd_tile(x, kernel, padding) != 4


def _fastest_on_gpu(x: Array, kernel: Array, padding: Padding) -> Array:
    how = by_rows if _few_features(kernel.shape) and min(min(padding)) >= 0 else xla_conv
    return how(x, kernel, padding)


def _shape(x: Any, kernel: Any, padding: Padding) -> list[Any]:
    ends = zip(x.shape[1:3], kernel.shape[:2], padding, strict=True)
    out = (size + sum(pad) - width + 1 for size, width, pad in ends)
    return [((x.shape[0], *out, kernel.shape[3]), x.dtype)]


def _batched(
    arrays: Sequence[Array], axes: Sequence[int | None], padding: Padding
) -> Sequence[Array]:
    x, kernel = arrays
    if axes[0] is None or axes[1] is not None:
        return [jax.vmap(partial(xla_conv, padding=padding), tuple(axes))(x, kernel)]
    x = jnp.moveaxis(x, axes[0], 0)
    (y,) = _correlation(x.reshape(-1, *x.shape[2:]), kernel, padding=padding)
    return [y.reshape(len(x), -1, *y.shape[1:])]


_correlation = primitive(
    "correlation",
    _shape,
    lambda x, kernel, padding: [xla_conv(x, kernel, padding)],
    _batched,
    cpu=lambda x, kernel, padding: [_fastest_on_cpu(x, kernel, padding)],
    cuda=lambda x, kernel, padding: [_fastest_on_gpu(x, kernel, padding)],
)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv(x: Array, kernel: Array, padding: Padding) -> Array:
    y: Array = _correlation(x, kernel, padding=padding)[0]
    return y


def _conv_forward(x: Any, kernel: Any, padding: Padding) -> tuple[Array, tuple[Any, Array]]:
    y = _conv(x.value, kernel.value, padding)
    return y, (x.value if kernel.perturbed else None, kernel.value)


def _conv_backward(padding: Padding, saved: tuple[Any, Array], g: Any) -> tuple[Any, Any]:
    x, kernel = saved
    rows, columns = kernel.shape[:2]
    (top, bottom), (left, right) = padding
    # The barrier keeps the flipping of fixed weights out of a loop around it.
    flipped = lax.optimization_barrier(lax.rev(kernel, (0, 1)).transpose(0, 1, 3, 2))
    back = ((rows - 1 - top, rows - 1 - bottom), (columns - 1 - left, columns - 1 - right))
    dx = _conv(g, flipped, back)
    if x is None:  # the weights' gradient is not needed
        return dx, None
    # One matrix product per kernel tap.
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    height, width = g.shape[1:3]
    flat = g.reshape(-1, g.shape[-1])
    taps = [
        padded[:, i : i + height, j : j + width].reshape(-1, x.shape[-1]).T @ flat
        for i in range(rows)
        for j in range(columns)
    ]
    return dx, jnp.stack(taps).reshape(kernel.shape).astype(kernel.dtype)


_conv.defvjp(_conv_forward, _conv_backward, symbolic_zeros=True)
