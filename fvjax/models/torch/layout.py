"""Layout of images: channels last, as long as operators allow, for a graph with channels second.

PyTorch's order of axes is (batch, channels, *space). Convolutions and recorded layers
have channels last. Transposing an image costs more than most operators, so that an image is
transposed only if an operator requires PyTorch's order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from fvjax.models.torch.graph import substitute
from fvjax.models.torch.operators import OPERATORS, activations, elementwise
from fvjax.models.torch.operators.convolutions import TURNED, channels_last_convolution
from fvjax.models.torch.operators.pooling import channels_last_max_pool


@dataclass(frozen=True)
class ChannelsLast:
    """An array (batch, *space, channels) that stands for one with channels second."""

    array: Array


def in_pytorchs_order(value: Any) -> Any:
    """Return the array with channels second."""
    return jnp.moveaxis(value.array, -1, 1) if isinstance(value, ChannelsLast) else value


def apply(operator: str, arguments: tuple[Any, ...]) -> Any:
    """Run an operator with channels last if it can be, and in PyTorch's order otherwise."""
    run = _LAST.get(operator)
    if run is not None:
        found = run(*arguments)
        if found is not NotImplemented:
            return found
    return OPERATORS[operator](*substitute(arguments, in_pytorchs_order))


def _convolution(x: Any, kernel: Array, *rest: Any) -> Any:
    inner = x.array if isinstance(x, ChannelsLast) else jnp.moveaxis(x, 1, -1)
    return ChannelsLast(channels_last_convolution(inner, kernel, *rest))


def _max_pool(x: Any, *rest: Any) -> Any:
    pooled = channels_last_max_pool(x.array, *rest) if isinstance(x, ChannelsLast) else None
    return NotImplemented if pooled is None else ChannelsLast(pooled)


def _elementwise(operator: str) -> Callable[..., Any]:
    """Apply an elementwise operator, which broadcasts by PyTorch's rule."""
    function = OPERATORS[operator]

    def run(*arguments: Any) -> Any:
        rank = next((a.array.ndim for a in arguments if isinstance(a, ChannelsLast)), None)
        if rank is None:
            return NotImplemented
        turned = [_turned(a, rank) for a in arguments]
        if any(a is NotImplemented for a in turned):
            return NotImplemented
        return ChannelsLast(function(*turned))

    return run


def _turned(value: Any, rank: int) -> Any:
    """Return an argument in the layout of an image with this number of axes."""
    if isinstance(value, ChannelsLast):
        return value.array if value.array.ndim == rank else NotImplemented
    shape = getattr(value, "shape", ())
    if not shape:
        return value
    if len(shape) > rank:
        return NotImplemented
    return jnp.moveaxis(value.reshape((1,) * (rank - len(shape)) + tuple(shape)), 1, -1)


def _affine(x: Any, scale: Array, shift: Array) -> Any:
    if not isinstance(x, ChannelsLast):
        return NotImplemented
    ones = (1,) * (x.array.ndim - 1)
    return ChannelsLast(x.array * scale.reshape(*ones, -1) + shift.reshape(*ones, -1))


def _permute(x: Any, axes: Sequence[int]) -> Any:
    """Permute axes; permutations to and from channels last move nothing."""
    rank = len(axes)
    order = tuple(i % rank for i in axes)
    if isinstance(x, ChannelsLast) and order == (0, *range(2, rank), 1):
        return x.array
    if not isinstance(x, ChannelsLast) and rank == 4 and order == (0, 3, 1, 2):
        return ChannelsLast(x)
    return NotImplemented


def _mean(x: Any, axes: Any = None, keep: bool = False, dtype: Any = None) -> Any:
    """Average over axes of space."""
    if not isinstance(x, ChannelsLast) or axes is None or dtype is not None:
        return NotImplemented
    rank = x.array.ndim
    given = sorted(i % rank for i in ([axes] if isinstance(axes, int) else axes))
    if given != list(range(2, rank)):
        return NotImplemented
    mean = x.array.mean(tuple(i - 1 for i in given), keepdims=keep)
    return ChannelsLast(mean) if keep else mean


def _global_pool(x: Any, size: Any) -> Any:
    ones = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    if not isinstance(x, ChannelsLast) or set(ones) != {1}:
        return NotImplemented
    return ChannelsLast(x.array.mean(tuple(range(1, x.array.ndim - 1)), keepdims=True))


def _cat(arrays: Sequence[Any], axis: int = 0) -> Any:
    if not all(isinstance(x, ChannelsLast) for x in arrays):
        return NotImplemented
    rank = arrays[0].array.ndim
    place = {0: 0, 1: rank - 1}.get(axis % rank, axis % rank - 1)
    return ChannelsLast(jnp.concatenate([x.array for x in arrays], place))


_ALONE = (
    *(f"{name}.default" for name in (*elementwise.UNARY, *activations.UNARY)),
    *("clone.default", "contiguous.default", "alias.default", "detach.default", "dropout.default"),
    *("feature_dropout.default", "gelu.default", "elu.default", "celu.default", "selu.default"),
    *("leaky_relu.default", "softplus.default", "clamp.default", "clamp_min.default", "to.dtype"),
    *("add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "add.Scalar", "mul.Scalar"),
    *("sub.Scalar", "div.Scalar", "rsub.Scalar", "pow.Tensor_Scalar", "maximum.default"),
)
_LAST: Mapping[str, Callable[..., Any]] = {
    **{name: _elementwise(name) for name in _ALONE},
    TURNED: _convolution,
    "max_pool2d.default": _max_pool,
    "fvjax.affine": _affine,
    "permute.default": _permute,
    "mean.dim": _mean,
    "adaptive_avg_pool2d.default": _global_pool,
    "cat.default": _cat,
}
