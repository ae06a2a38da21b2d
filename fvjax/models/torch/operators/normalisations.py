"""ATen's normalisations of (batch, channels, *space) and of the last axes, in JAX."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


def _standardised(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """Standardise to mean 0 and variance 1, with at least float32's precision."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - y.mean(axes, keepdims=True)
    return (y * lax.rsqrt((y * y).mean(axes, keepdims=True) + eps)).astype(x.dtype)


def _scaled(x: Array, weight: Array | None, bias: Array | None) -> Array:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(
    x: Array,
    shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Array:
    last = tuple(range(x.ndim - len(shape), x.ndim))
    return _scaled(_standardised(x, last, eps), weight, bias)


def _rms_norm(
    x: Array, shape: Sequence[int], weight: Array | None = None, eps: float | None = None
) -> Array:
    last = tuple(range(x.ndim - len(shape), x.ndim))
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    small = jnp.finfo(x.dtype).eps if eps is None else eps
    y = (y * lax.rsqrt((y * y).mean(last, keepdims=True) + small)).astype(x.dtype)
    return _scaled(y, weight, None)


def by_channel(x: Array, weight: Any) -> Any:
    """Return a weight for each channel, shaped for axis 1 of `x`."""
    return None if weight is None else weight.reshape(1, -1, *[1] * (x.ndim - 2))


def _group_norm(
    x: Array,
    groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Array:
    y = _standardised(x.reshape(x.shape[0], groups, -1), (2,), eps).reshape(x.shape)
    return _scaled(y, by_channel(x, weight), by_channel(x, bias))


def _native_group_norm(x: Array, weight: Any, bias: Any, *sizes: Any) -> tuple[Any, None, None]:
    *_, groups, eps = sizes
    return _group_norm(x, groups, weight, bias, eps), None, None


def _instance_norm(
    x: Array,
    weight: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    own: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> Array:
    """Normalise by the image's statistics, or by stored statistics if `own` is false."""
    if own:
        return _group_norm(x, x.shape[1], weight, bias, eps)
    y = (x - by_channel(x, mean)) * by_channel(x, lax.rsqrt(variance + eps))
    return _scaled(y, by_channel(x, weight), by_channel(x, bias))


def _batch_norm(
    x: Array, weight: Any, bias: Any, mean: Any, variance: Any, own: bool, momentum: Any, eps: float
) -> Array:
    """Apply batch normalisation without stored statistics: by the image's statistics."""
    axes = (0, *range(2, x.ndim))
    return _scaled(_standardised(x, axes, eps), by_channel(x, weight), by_channel(x, bias))


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "layer_norm.default": _layer_norm,
    "native_layer_norm.default": lambda *given: (_layer_norm(*given), None, None),
    "rms_norm.default": _rms_norm,
    "group_norm.default": _group_norm,
    "native_group_norm.default": _native_group_norm,
    "instance_norm.default": _instance_norm,
    "batch_norm.default": lambda *given: _batch_norm(*given[:8]),
    # Batch normalisation by kept statistics, which are folded into a scale and a shift.
    "fvjax.affine": lambda x, scale, shift: _scaled(x, by_channel(x, scale), by_channel(x, shift)),
}
