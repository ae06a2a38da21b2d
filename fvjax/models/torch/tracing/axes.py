"""Batch and channel axes of a value, inferred from its operators.

Shapes are ambiguous: an image of 24 x 24 pixels may have 24 channels. So the axes are followed from
the network's input through each operator.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.fx import Node

from fvjax.models.torch.tracing.trace import base_of


class Axes(NamedTuple):
    """Indices of axes; None where an operator has mixed that axis with others."""

    batch: int | None
    channels: int | None


IMAGE = Axes(0, 1)
_SECOND = {
    *("conv1d", "conv2d", "conv3d", "convolution", "batch_norm", "group_norm", "instance_norm"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "native_group_norm"),
    *("_native_batch_norm_legit_no_training", "pixel_shuffle", "pixel_unshuffle"),
    "channel_shuffle",
}  # channels become axis 1
_LAST = {"linear", "layer_norm", "native_layer_norm", "rms_norm", "addmm", "mm"}
_MIXING = {"matmul", "bmm", "baddbmm", "einsum", "scaled_dot_product_attention"}
_RESHAPES = {"view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", "reshape_as"}
_REDUCTIONS = {
    *("mean", "sum", "amax", "amin", "max", "min", "var", "std", "prod", "argmax", "logsumexp"),
    *("linalg_vector_norm", "norm", "var_mean"),
}


def axes_of(node: Node, known: dict[Node, Axes]) -> Axes:
    """Return the axes of a node's value, given the axes of its inputs."""
    batch, channels = (_follow(node, known, which) for which in (0, 1))
    base, rank = base_of(node.target), len(shape_of(node))
    if base in _SECOND:
        channels = min(1, rank - 1)
        batch = 0 if rank > 1 else None
    elif base in _LAST:
        channels = rank - 1
    return Axes(batch, channels)


def recorded_axes(shape: Sequence[int], axes: Axes) -> tuple[int | None, int]:
    """Return a layer's axes; unknown axes are where PyTorch's modules place them.

    There, values of four axes are images with channels second, or attention with heads second;
    others have their channels last. The first axis of size 1 of the first two is the batch.
    """
    rank, (batch, channels) = len(shape), axes
    if channels is None:
        channels = 1 if rank == 4 else rank - 1
    if batch is None or batch == channels or shape[batch] != 1:
        ones = [i for i in range(min(2, rank - 1)) if shape[i] == 1 and i != channels]
        batch = ones[0] if ones else None
    return batch, channels


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of a node's value; of the first value if it is a list."""
    value = node.meta.get("val") if isinstance(node, Node) else node
    while isinstance(value, (list, tuple)):
        value = value[0]
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _follow(node: Node, known: dict[Node, Axes], which: int) -> int | None:
    """Return the output's place of an axis of the first input that has the axis."""
    base, out = base_of(node.target), shape_of(node)
    if base in _MIXING:
        given = node.args[0]
        same = isinstance(given, Node) and given in known and len(shape_of(given)) == len(out)
        return known[given][which] if same and which == 0 else None
    for given in node.all_input_nodes:
        axis = known[given][which] if given in known else None
        if axis is not None:
            return _moved(node, base, shape_of(given), out, axis)
    return None


def _moved(
    node: Node, base: str, given: tuple[int, ...], out: tuple[int, ...], axis: int
) -> int | None:
    rank = len(given)
    if base in ("permute", "transpose", "t", "mT", "numpy_T", "movedim", "swapaxes", "adjoint"):
        return _order(node, base, rank).index(axis)
    if base in _RESHAPES:
        return _reshaped(given, out, axis)
    if base in ("select", "unbind", "squeeze", "argmax") or base in _REDUCTIONS:
        if len(out) == rank and base not in ("select", "unbind"):
            return axis if out[axis] == given[axis] else None
        return _removed(_dropped(node, base, given), axis)
    if base in ("unsqueeze", "stack"):
        at = int(_argument(node, 1, 0)) % len(out)
        return axis + 1 if at <= axis else axis
    if node.target is operator.getitem and len(out) != rank:
        return axis
    moved = axis + len(out) - rank  # broadcasting counts from the last axis
    return moved if moved >= 0 else None


def _argument(node: Node, place: int, default: Any) -> Any:
    if len(node.args) > place:
        return node.args[place]
    return node.kwargs.get("dim", default)


def _order(node: Node, base: str, rank: int) -> list[int]:
    """Return the input's axis at each place of the output."""
    order = list(range(rank))
    if base == "permute":
        return [i % rank for i in node.args[1]]
    if base == "movedim":
        pairs = [a if isinstance(a, (list, tuple)) else [a] for a in node.args[1:3]]
        source, target = ([int(i) % rank for i in a] for a in pairs)
        rest = [i for i in order if i not in source]
        for to, of in sorted(zip(target, source, strict=True)):
            rest.insert(to, of)
        return rest
    if base in ("transpose", "swapaxes"):
        a, b = (int(i) % rank for i in node.args[1:3])
    elif rank >= 2:
        a, b = rank - 2, rank - 1
    else:
        return order
    order[a], order[b] = order[b], order[a]
    return order


def _reshaped(given: tuple[int, ...], out: tuple[int, ...], axis: int) -> int | None:
    """Return the nearest axis of the same size after as many elements; None if it is split."""
    before = math.prod(given[:axis])
    same = [i for i, n in enumerate(out) if n == given[axis] and math.prod(out[:i]) == before]
    return min(same, key=lambda i: abs(i - axis)) if same else None


def _dropped(node: Node, base: str, given: tuple[int, ...]) -> list[int]:
    if base == "squeeze" and len(node.args) < 2:
        return [i for i, n in enumerate(given) if n == 1]
    axes = _argument(
        node, 1 if base != "linalg_vector_norm" else 2, 0 if base == "unbind" else None
    )
    if axes is None:
        return list(range(len(given)))
    chosen = [i % len(given) for i in ([axes] if isinstance(axes, int) else axes)]
    return [i for i in chosen if base != "squeeze" or given[i] == 1]


def _removed(dropped: list[int], axis: int) -> int | None:
    return None if axis in dropped else axis - sum(i < axis for i in dropped)
