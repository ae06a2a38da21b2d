"""ATen's reductions, in JAX."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

Axes = int | Sequence[int] | None


def _axes(x: Array, axes: Axes) -> tuple[int, ...]:
    """Return the axes counted from the front; all axes if none is named."""
    if axes is None or axes == ():
        return tuple(range(x.ndim))
    return tuple(i % x.ndim for i in ([axes] if isinstance(axes, int) else axes))


def _wider(x: Array, dtype: str | None) -> Array:
    """Cast to the operator's type if it has a higher precision."""
    return x if dtype is None else x.astype(jnp.promote_types(x.dtype, jnp.dtype(dtype)))


def _reduce(
    function: Callable[..., Array],
    x: Array,
    axes: Axes = None,
    keep: bool = False,
    dtype: str | None = None,
) -> Array:
    return function(_wider(x, dtype), axis=_axes(x, axes), keepdims=keep)


def _reduce_all(function: Callable[..., Array], x: Array, dtype: str | None = None) -> Array:
    return function(_wider(x, dtype))


def _with_place(place: Callable[..., Array]) -> Callable[..., tuple[Array, Array]]:
    def both(x: Array, axis: int, keep: bool = False) -> tuple[Array, Array]:
        """Take the extreme at its place, which alone gets the gradient, as in PyTorch."""
        index = place(x, axis=axis, keepdims=True)
        value = jnp.take_along_axis(x, index, axis)
        return (value, index) if keep else (value.squeeze(axis), index.squeeze(axis))

    return both


def _variance(x: Array, axes: Axes = None, correction: Any = 1, keep: bool = False) -> Array:
    """Return the variance; `correction` is a number, None for 1, or a boolean."""
    ddof = 1 if correction is None else int(correction)
    return jnp.var(x, axis=_axes(x, axes), ddof=ddof, keepdims=keep)


def _deviation(x: Array, axes: Axes = None, correction: Any = 1, keep: bool = False) -> Array:
    return jnp.sqrt(_variance(x, axes, correction, keep))


def _variance_and_mean(
    x: Array, axes: Axes = None, correction: Any = 1, keep: bool = False
) -> tuple[Array, Array]:
    return _variance(x, axes, correction, keep), _reduce(jnp.mean, x, axes, keep)


def _norm(
    x: Array, order: Any = 2, axes: Axes = None, keep: bool = False, dtype: str | None = None
) -> Array:
    x, order, where = _wider(x, dtype), 2 if order is None else order, _axes(x, axes)
    if order == 2:
        return jnp.sqrt((x * x).sum(where, keepdims=keep))
    if order in (float("inf"), float("-inf")):
        extreme = jnp.max if order > 0 else jnp.min
        return extreme(jnp.abs(x), axis=where, keepdims=keep)
    return (jnp.abs(x) ** order).sum(where, keepdims=keep) ** (1 / order)  # type: ignore[no-any-return]


def _softmax(x: Array, axis: int, dtype: Any = None) -> Array:
    return jax.nn.softmax(_wider(x, dtype if isinstance(dtype, str) else None), axis)


def _log_softmax(x: Array, axis: int, dtype: Any = None) -> Array:
    return jax.nn.log_softmax(_wider(x, dtype if isinstance(dtype, str) else None), axis)


def safe_softmax(x: Array, axis: int, dtype: Any = None) -> Array:
    """Return the softmax, and 0 instead of NaN if every element is minus infinity."""
    blocked = jnp.all(jnp.isneginf(x), axis=axis, keepdims=True)
    return jnp.where(blocked, 0, _softmax(jnp.where(blocked, 0, x), axis, dtype))


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "mean.dim": partial(_reduce, jnp.mean),
    "mean.default": partial(_reduce_all, jnp.mean),
    "sum.dim_IntList": partial(_reduce, jnp.sum),
    "sum.default": partial(_reduce_all, jnp.sum),
    "prod.dim_int": partial(_reduce, jnp.prod),
    "amax.default": partial(_reduce, jnp.max),
    "amin.default": partial(_reduce, jnp.min),
    "logsumexp.default": partial(_reduce, jax.nn.logsumexp),
    "max.default": partial(_reduce_all, jnp.max),
    "min.default": partial(_reduce_all, jnp.min),
    "max.dim": _with_place(jnp.argmax),
    "min.dim": _with_place(jnp.argmin),
    "argmax.default": lambda x, axis=None, keep=False: jnp.argmax(x, axis, keepdims=keep),
    "var.correction": _variance,
    "var.dim": _variance,
    "std.correction": _deviation,
    "std.dim": _deviation,
    "var_mean.correction": _variance_and_mean,
    "linalg_vector_norm.default": _norm,
    "norm.ScalarOpt_dim": _norm,
    "softmax.int": _softmax,
    "_softmax.default": _softmax,
    "_safe_softmax.default": safe_softmax,
    "log_softmax.int": _log_softmax,
    "_log_softmax.default": _log_softmax,
}
