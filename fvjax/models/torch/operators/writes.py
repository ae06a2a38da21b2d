"""In-place writes into parts of an array, as functions in JAX."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from fvjax.models.torch.operators.shape import places, span


def _copy(x: Array, y: Any, *_: Any) -> Array:
    return jnp.broadcast_to(y, x.shape).astype(x.dtype)


def _select_scatter(x: Array, y: Array, axis: int, index: int) -> Array:
    return jnp.moveaxis(jnp.moveaxis(x, axis, 0).at[index].set(y), 0, axis)


def _slice_scatter(
    x: Array,
    y: Array,
    axis: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Array:
    return x.at[span(x, axis, start, end, step)].set(y)


def _index_put(
    x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Array:
    place = x.at[places(indices)]
    return place.add(values) if accumulate else place.set(values)


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "copy.default": _copy,
    "fill.Scalar": jnp.full_like,
    "fill.Tensor": _copy,
    "zero.default": lambda x: jnp.zeros_like(x),
    "select_scatter.default": _select_scatter,
    "slice_scatter.default": _slice_scatter,
    "index_put.default": _index_put,
    "cumsum.default": lambda x, axis, *_: jnp.cumsum(x, axis),
}
