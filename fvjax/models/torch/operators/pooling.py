"""ATen's pooling of (batch, channels, *space), in JAX."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from fvjax.models.torch.operators.convolutions import Padding, several
from fvjax.ops import layers


def _windows(
    x: Array,
    space: int,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil: bool,
    dilation: tuple[int, ...] | None = None,
) -> tuple[tuple[int, ...], tuple[int, ...], Padding]:
    """Return sides, strides and pads; with `ceil`, the last window begins inside the image."""
    sides = several(kernel, space)
    strides = sides if stride in (None, (), []) else several(stride, space)
    pads = []
    reach = [d * (k - 1) + 1 for d, k in zip(dilation or (1,) * space, sides, strict=True)]
    for n, k, s, p in zip(x.shape[-space:], reach, strides, several(padding, space), strict=True):
        high = p
        if ceil:
            outputs = -(-(n + 2 * p - k) // s) + 1
            outputs -= (outputs - 1) * s >= n + p
            high = max(p, (outputs - 1) * s + k - n - p)
        pads.append((p, high))
    return sides, strides, tuple(pads)


def _max_pool(space: int) -> Callable[..., Array]:
    def run(
        x: Array,
        kernel: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil: bool = False,
    ) -> Array:
        spread = several(dilation, space)
        sides, strides, pads = _windows(x, space, kernel, stride, padding, ceil, spread)
        if set(spread) != {1}:
            return _dilated_maximum(x, sides, strides, pads, spread)
        if space == 2:
            last = channels_last_max_pool(
                jnp.moveaxis(x, -3, -1), kernel, stride, padding, dilation, ceil
            )
            if last is not None:
                return jnp.moveaxis(last, -1, -3)
        rest = (1,) * (x.ndim - space)
        pads = (*((0, 0),) * len(rest), *pads)
        return lax.reduce_window(x, -jnp.inf, lax.max, (*rest, *sides), (*rest, *strides), pads)  # type: ignore[no-any-return]

    return run


def channels_last_max_pool(
    x: Array,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> Array | None:
    """Apply fvjax's max-pooling to (*batch, height, width, channels); None if not square."""
    spread = several(dilation, 2)
    sides, strides, pads = _windows(x[..., 0], 2, kernel, stride, padding, ceil, spread)
    square = len(set(sides)) == len(set(strides)) == 1 and sides[0] >= strides[0]
    if set(spread) != {1} or not square:
        return None
    return layers.max_pool(x, sides[0], strides[0], (pads[0], pads[1]))


def _dilated_maximum(
    x: Array, sides: tuple[int, ...], strides: tuple[int, ...], pads: Padding, spread: Any
) -> Array:
    """Return the maximum of shifted copies: JAX has no gradient of dilated windows."""
    lead = x.ndim - len(sides)
    x = jnp.pad(x, (*((0, 0),) * lead, *pads), constant_values=-jnp.inf)
    reach = [d * (k - 1) + 1 for d, k in zip(spread, sides, strict=True)]
    outputs = [(n - r) // s + 1 for n, r, s in zip(x.shape[lead:], reach, strides, strict=True)]
    copies = []
    for place in itertools.product(*map(range, sides)):
        first = [i * d for i, d in zip(place, spread, strict=True)]
        ends = zip(first, outputs, strides, strict=True)
        taken = [slice(a, a + (n - 1) * s + 1, s) for a, n, s in ends]
        copies.append(x[(..., *taken)])
    return functools.reduce(jnp.maximum, copies)  # max over an axis may divide by 0 in its gradient


def _sums(x: Array, sides: Any, strides: Any, pads: Any) -> Array:
    lead = x.ndim - len(sides)
    window, steps = (*(1,) * lead, *sides), (*(1,) * lead, *strides)
    return lax.reduce_window(x, 0.0, lax.add, window, steps, (*((0, 0),) * lead, *pads))  # type: ignore[no-any-return]


def _average_pool(space: int) -> Callable[..., Array]:
    def run(
        x: Array,
        kernel: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil: bool = False,
        count_pad: bool = True,
        divisor: int | None = None,
    ) -> Array:
        sides, strides, pads = _windows(x, space, kernel, stride, padding, ceil)
        total = _sums(x, sides, strides, pads)
        if divisor:
            return total / divisor
        if count_pad and not ceil:
            return total / math.prod(sides)
        counted = [p if count_pad else 0 for p in several(padding, space)]
        ones = jnp.ones([n + 2 * p for n, p in zip(x.shape[-space:], counted, strict=True)])
        rest = [(a - p, b - p) for (a, b), p in zip(pads, counted, strict=True)]
        count = _sums(ones.astype(x.dtype), sides, strides, rest)
        return total / count.reshape(*(1,) * (x.ndim - space), *count.shape)

    return run


def _adaptive(space: int, function: Callable[..., Array]) -> Callable[..., Array]:
    """Pool each axis into as many parts as outputs, by mean or maximum."""

    def run(x: Array, size: Any) -> Array:
        for axis, n in zip(range(-space, 0), several(size, space), strict=True):
            m = x.shape[axis]
            if n == m or n is None:
                continue
            if m % n == 0:
                before, after = x.shape[: x.ndim + axis], x.shape[x.ndim + axis + 1 :]
                x = function(x.reshape(*before, n, m // n, *after), axis=axis)
                continue
            ends = [(i * m // n, -(-(i + 1) * m // n)) for i in range(n)]
            parts = [lax.slice_in_dim(x, a, b, axis=axis % x.ndim) for a, b in ends]
            parts = [function(part, axis=axis, keepdims=True) for part in parts]
            x = jnp.concatenate(parts, axis)
        return x

    return run


def _alone(function: Callable[..., Array]) -> Callable[..., tuple[Array, None]]:
    """Return the maxima with None in place of their indices."""
    return lambda *given: (function(*given), None)


def _by_dimension(n: int) -> dict[str, Callable[..., Any]]:
    return {
        f"max_pool{n}d.default": _max_pool(n),
        f"max_pool{n}d_with_indices.default": _alone(_max_pool(n)),
        f"avg_pool{n}d.default": _average_pool(n),
        f"adaptive_avg_pool{n}d.default": _adaptive(n, jnp.mean),
        f"_adaptive_avg_pool{n}d.default": _adaptive(n, jnp.mean),
        f"adaptive_max_pool{n}d.default": _alone(_adaptive(n, jnp.max)),
    }


def _response_norm(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Apply PyTorch's local response normalisation across channels."""
    around = (size // 2, (size - 1) // 2)
    rest = ((0, 0),) * (x.ndim - 2)
    window, steps = (1, size, *(1,) * (x.ndim - 2)), (1,) * x.ndim
    total = lax.reduce_window(x * x, 0.0, lax.add, window, steps, ((0, 0), around, *rest))
    return x / (k + alpha / size * total) ** beta  # type: ignore[no-any-return]


OPERATORS: Mapping[str, Callable[..., Any]] = {
    **_by_dimension(1),
    **_by_dimension(2),
    **_by_dimension(3),
    "local_response_norm.default": _response_norm,
}
