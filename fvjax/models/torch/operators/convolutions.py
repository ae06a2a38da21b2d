"""Convolutions of 1, 2 and 3 axes of space, transposed ones included, in JAX.

Every convolution becomes `fvjax.convolution`, whose kernel is (*space, inputs / groups, outputs).
Weights are turned once, at import: in a loop whose weights are arguments, turning them in each step
costs more than the network.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from fvjax.ops import layers
from fvjax.ops.depthwise import depthwise
from fvjax.ops.platform import activation_type

Padding = tuple[tuple[int, int], ...]
TURNED = "fvjax.convolution"


def several(value: Any, count: int) -> tuple[int, ...]:
    """Return one number for each axis of space."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return given * count if len(given) == 1 else given


def unified(operator: str, arguments: tuple[Any, ...], space: int) -> tuple[Any, ...] | None:
    """Return the arguments of `convolution` after the bias; None for another operator.

    They are stride, padding, dilation, transposed, output_padding, groups.
    """
    name = operator.split(".")[0]
    defaults: tuple[Any, ...]
    if name == "convolution":
        return arguments[3:9]
    if name in ("conv1d", "conv2d", "conv3d"):
        defaults = (1, 0, 1, 1)
        given = [*arguments[3:], *defaults[len(arguments) - 3 :]]
        stride, padding, dilation, groups = given
        return stride, padding, dilation, False, 0, groups
    if name in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
        defaults = (1, 0, 0, 1, 1)
        given = [*arguments[3:], *defaults[len(arguments) - 3 :]]
        stride, padding, extra, groups, dilation = given
        return stride, padding, dilation, True, extra, groups
    return None


def turned(weight: Any, transposed: bool, groups: int) -> Any:
    """Return PyTorch's kernel as (*space, inputs / groups, outputs), flipped if transposed."""
    space = tuple(range(2, weight.ndim))
    if not transposed:
        return weight.transpose((*space, 1, 0))
    inputs, outputs = weight.shape[0] // groups, weight.shape[1] * groups
    split = weight.reshape(groups, inputs, weight.shape[1], *weight.shape[2:])
    axes = tuple(range(3, split.ndim))
    joined = split.transpose((*axes, 1, 0, 2)).reshape(*weight.shape[2:], inputs, outputs)
    return joined[tuple(slice(None, None, -1) for _ in space)]


def _padding(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Padding:
    if padding == "valid":
        padding = 0
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((n // 2, n - n // 2) for n in total)
    return tuple((n, n) for n in several(padding, len(kernel)))


def channels_last_convolution(
    x: Array,
    kernel: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Array:
    """Correlate `x` (batch, *space, channels) with `kernel` (*space, inputs / groups, outputs)."""
    space = kernel.ndim - 2
    strides, dilations = several(stride, space), several(dilation, space)
    pads = _padding(padding, kernel.shape[:space], dilations)
    spread = (1,) * space  # zeros between pixels
    if transposed:
        extra = several(output_padding, space)
        reach = [d * (k - 1) for d, k in zip(dilations, kernel.shape[:space], strict=True)]
        pads = tuple(
            (n - low, n - high + more)
            for n, (low, high), more in zip(reach, pads, extra, strict=True)
        )
        strides, spread = (1,) * space, strides
    y = _correlated(x, kernel, strides, pads, dilations, spread, groups)
    return y if bias is None else y + bias.reshape(*[1] * (y.ndim - 1), -1)


def convolution(x: Array, *rest: Any) -> Array:
    """Convolve `x` (batch, channels, *space) with PyTorch's kernel."""
    return jnp.moveaxis(channels_last_convolution(jnp.moveaxis(x, 1, -1), *rest), -1, 1)


def _correlated(
    x: Array,
    kernel: Array,
    strides: tuple[int, ...],
    pads: Padding,
    dilations: tuple[int, ...],
    spread: tuple[int, ...],
    groups: int,
) -> Array:
    """Correlate with an exact gradient: by fvjax's convolution if it supports the arguments."""
    space = len(strides)
    sides = kernel.shape[:space]
    stride = strides[0]
    plain = space == 2 and len(set(strides)) == 1 and math.prod((*dilations, *spread)) == 1
    if plain and groups == 1 and sides == (1, 1) and pads == ((0, 0), (0, 0)):
        return layers.conv(x[:, ::stride, ::stride], kernel)  # drop pixels first
    if plain and groups == 1 and stride <= max(sides):
        return layers.conv(x, kernel, stride, (pads[0], pads[1]))
    if plain and groups == kernel.shape[-1] == x.shape[-1]:
        return depthwise(x, kernel[:, :, 0], stride, (pads[0], pads[1]))
    letters, kind = "HWD"[:space], activation_type(kernel.dtype)
    return lax.conv_general_dilated(
        x.astype(kind),
        kernel.astype(kind),
        strides,
        pads,
        lhs_dilation=spread,
        rhs_dilation=dilations,
        feature_group_count=groups,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
    )


def _aten(name: str) -> Callable[..., Array]:
    """Convolve with PyTorch's kernel, which may depend on the image."""

    def run(x: Array, weight: Array, bias: Array | None = None, *rest: Any) -> Array:
        options = unified(name, (x, weight, bias, *rest), weight.ndim - 2)
        assert options is not None
        return convolution(x, turned(weight, options[3], options[5]), bias, *options)

    return run


NAMES = (
    "convolution.default",
    *(f"conv{n}d.{kind}" for n in (1, 2, 3) for kind in ("default", "padding")),
    "conv_transpose1d.default",
    "conv_transpose2d.input",
    "conv_transpose3d.input",
)
OPERATORS: Mapping[str, Callable[..., Any]] = {
    TURNED: convolution,
    **{name: _aten(name) for name in NAMES},
}
