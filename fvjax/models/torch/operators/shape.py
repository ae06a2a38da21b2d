"""ATen's operators that move elements and do not compute, in JAX."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

_END = 2**62  # what PyTorch writes for "to the end" is above


def _flatten(x: Array, start: int = 0, end: int = -1) -> Array:
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start % x.ndim, end % x.ndim
    return x.reshape(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])


def _unflatten(x: Array, axis: int, sizes: Sequence[int]) -> Array:
    axis %= x.ndim
    return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def _squeeze(x: Array, axes: int | Sequence[int] | None = None) -> Array:
    chosen = range(x.ndim) if axes is None else [axes] if isinstance(axes, int) else axes
    return x.squeeze(tuple(i % x.ndim for i in chosen if x.shape[i] == 1))


def _expand(x: Array, size: Sequence[int], implicit: bool = False) -> Array:
    lead = len(size) - x.ndim
    return jnp.broadcast_to(x, [x.shape[i - lead] if n == -1 else n for i, n in enumerate(size)])


def _cat(arrays: Sequence[Array], axis: int = 0) -> Array:
    return jnp.concatenate([x for x in arrays if x.shape != (0,)], axis)


def span(x: Array, axis: int, start: int | None, end: int | None, step: int) -> tuple[slice, ...]:
    """Return the index of a slice along one axis."""
    index = [slice(None)] * x.ndim
    index[axis] = slice(start, None if end is not None and end >= _END else end, step)
    return tuple(index)


def _slice(
    x: Array, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    return x[span(x, axis, start, end, step)]


def _select(x: Array, axis: int, index: int) -> Array:
    return lax.index_in_dim(x, index % x.shape[axis], axis % x.ndim, keepdims=False)


def _split(x: Array, size: int, axis: int = 0) -> list[Array]:
    return jnp.split(x, list(range(size, x.shape[axis], size)), axis)


def _split_sizes(x: Array, sizes: Sequence[int], axis: int = 0) -> list[Array]:
    return jnp.split(x, [sum(sizes[:i]) for i in range(1, len(sizes))], axis)


def _chunk(x: Array, count: int, axis: int = 0) -> list[Array]:
    return _split(x, -(-x.shape[axis] // count), axis)


def _unbind(x: Array, axis: int = 0) -> list[Array]:
    return [_select(x, axis, i) for i in range(x.shape[axis])]


def _roll(x: Array, shifts: Sequence[int], axes: Sequence[int] = ()) -> Array:
    return jnp.roll(x, tuple(shifts), tuple(axes)) if axes else jnp.roll(x, shifts[0])


def _repeat_interleave(x: Array, count: int, axis: int | None = None, *_: Any) -> Array:
    return jnp.repeat(x, count, axis)


def _gather(x: Array, axis: int, index: Array, *_: Any) -> Array:
    """Gather along an axis; PyTorch crops the other axes to the index's shape."""
    axis %= x.ndim
    parts = [slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape)]
    return jnp.take_along_axis(x[tuple(parts)], index, axis)


def places(indices: Sequence[Array | None]) -> tuple[Any, ...]:
    """Return NumPy's index for ATen's list of indices."""
    return tuple(slice(None) if i is None else i for i in indices)


def _pads(x: Array, pad: Sequence[int]) -> list[tuple[int, int]]:
    """Return pads by axis; PyTorch lists them from the last axis."""
    given = [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -2, -2)]
    return [(0, 0)] * (x.ndim - len(given)) + given


def _constant_pad(x: Array, pad: Sequence[int], value: float = 0) -> Array:
    padding = [(low, high, 0) for low, high in _pads(x, pad)]
    return lax.pad(x, jnp.asarray(value, x.dtype), padding)


_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # as NumPy calls them


def _pad(x: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Array:
    if mode == "constant":
        return _constant_pad(x, pad, value or 0)
    return jnp.pad(x, _pads(x, pad), mode=_MODES[mode])


def _pixel_shuffle(x: Array, factor: int) -> Array:
    *batch, channels, height, width = x.shape
    split = x.reshape(*batch, channels // factor**2, factor, factor, height, width)
    n = len(batch)
    turned = split.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return turned.reshape(*batch, channels // factor**2, height * factor, width * factor)


def _pixel_unshuffle(x: Array, factor: int) -> Array:
    *batch, channels, height, width = x.shape
    split = x.reshape(*batch, channels, height // factor, factor, width // factor, factor)
    n = len(batch)
    turned = split.transpose(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return turned.reshape(*batch, channels * factor**2, height // factor, width // factor)


def _channel_shuffle(x: Array, groups: int) -> Array:
    split = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    return split.swapaxes(1, 2).reshape(x.shape)


def _reshape(x: Array, size: Sequence[int], *_: Any) -> Array:
    return x.reshape(tuple(size))


def _tile(x: Array, counts: Sequence[int]) -> Array:
    return jnp.tile(x, counts)


OPERATORS: Mapping[str, Callable[..., Any]] = {
    **{
        f"{name}.default": _reshape
        for name in ("view", "reshape", "_unsafe_view", "_reshape_copy", "view_copy")
    },
    **{
        f"{mode}_pad{n}d.default": lambda x, pad, mode=name: _pad(x, pad, mode)
        for mode, name in (("reflection", "reflect"), ("replication", "replicate"))
        for n in (1, 2, 3)
    },
    "view_as.default": lambda x, other: x.reshape(other.shape),
    "reshape_as.default": lambda x, other: x.reshape(other.shape),
    "expand_as.default": lambda x, other: jnp.broadcast_to(x, other.shape),
    "flatten.using_ints": _flatten,
    "unflatten.int": _unflatten,
    "permute.default": lambda x, axes: x.transpose([i % x.ndim for i in axes]),
    "transpose.int": jnp.swapaxes,
    "swapaxes.default": jnp.swapaxes,
    "t.default": lambda x: x.T,
    "numpy_T.default": lambda x: x.T,
    "mT.default": lambda x: jnp.swapaxes(x, -1, -2),
    "adjoint.default": lambda x: jnp.swapaxes(x, -1, -2),
    "movedim.int": jnp.moveaxis,
    "movedim.intlist": jnp.moveaxis,
    "unsqueeze.default": jnp.expand_dims,
    "squeeze.default": _squeeze,
    "squeeze.dim": _squeeze,
    "squeeze.dims": _squeeze,
    "expand.default": _expand,
    "repeat.default": _tile,
    "tile.default": _tile,
    "repeat_interleave.self_int": _repeat_interleave,
    "cat.default": _cat,
    "concat.default": _cat,
    "stack.default": lambda arrays, axis=0: jnp.stack(arrays, axis),
    "slice.Tensor": _slice,
    "select.int": _select,
    "narrow.default": lambda x, axis, start, n: _slice(x, axis, start, start + n),
    "split.Tensor": _split,
    "split.default": _split_sizes,
    "split.sizes": _split_sizes,
    "split_with_sizes.default": _split_sizes,
    "chunk.default": _chunk,
    "unbind.int": _unbind,
    "flip.default": lambda x, axes: jnp.flip(x, tuple(axes)),
    "roll.default": _roll,
    "index.Tensor": lambda x, indices: x[places(indices)],
    "index_select.default": lambda x, axis, index: jnp.take(x, index, axis),
    "gather.default": _gather,
    "embedding.default": lambda weight, index, *_: weight[index],
    "constant_pad_nd.default": _constant_pad,
    "pad.default": _pad,
    "pixel_shuffle.default": _pixel_shuffle,
    "pixel_unshuffle.default": _pixel_unshuffle,
    "channel_shuffle.default": _channel_shuffle,
    "full_like.default": lambda x, value, *_: jnp.full_like(x, value),
    "zeros_like.default": lambda x, *_: jnp.zeros_like(x),
    "ones_like.default": lambda x, *_: jnp.ones_like(x),
}
