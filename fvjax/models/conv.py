"""A linen convolution with this package's quick gradients, and several of one input at once."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from fvjax.ops import layers


class Conv(nn.Module):
    """Convolution plus bias; parameters "kernel" (rows, columns, channels, features) and "bias"."""

    features: int
    kernel: int = 1
    stride: int = 1
    pad: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Apply to (..., height, width, channels)."""
        kernel, bias = _weights(self, self.features, self.kernel, x.shape[-1])
        pads = ((self.pad, self.pad), (self.pad, self.pad))
        y = layers.conv(x, kernel, self.stride, pads)
        return y + jnp.expand_dims(bias, range(y.ndim - 1))


class _Weights(nn.Module):
    """The parameters of a 1 x 1 convolution alone."""

    features: int

    @nn.compact
    def __call__(self, channels: int) -> tuple[Array, Array]:
        return _weights(self, self.features, 1, channels)


def convs_of_one_input(x: Array, features: Mapping[str, int]) -> list[Array]:
    """Return a 1 x 1 convolution of `x` plus bias for each name, computed as one product.

    The product and its gradient read and write (..., height, width, channels) once, and not once
    for each name. The parameters are those of a `Conv` of that name.
    """
    weights = [_Weights(f, name=name)(x.shape[-1]) for name, f in features.items()]
    kernel, bias = (jnp.concatenate(parts, -1) for parts in zip(*weights, strict=True))
    y = layers.conv(x, kernel)
    y += jnp.expand_dims(bias, range(y.ndim - 1))
    return list(lax.split(y, list(features.values()), axis=y.ndim - 1))


def _weights(module: nn.Module, features: int, side: int, channels: int) -> tuple[Array, Array]:
    shape = (side, side, channels, features)
    kernel = parameter(module, "kernel", nn.initializers.he_normal(), shape)
    return kernel, parameter(module, "bias", nn.initializers.zeros_init(), (features,))


def parameter(module: nn.Module, name: str, initializer: Any, shape: tuple[int, ...]) -> Array:
    """Return a module's parameter, without `param`'s check, which traces the initializer."""
    if module.is_initializing():
        made: Array = module.param(name, initializer, shape)
        return made
    value: Array = module.get_variable("params", name)
    return value
