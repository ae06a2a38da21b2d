"""A linen convolution with this package's quick gradients."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
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
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = parameter(self, "kernel", nn.initializers.he_normal(), shape)
        bias = parameter(self, "bias", nn.initializers.zeros_init(), (self.features,))
        pads = ((self.pad, self.pad), (self.pad, self.pad))
        y = layers.conv(x, kernel, self.stride, pads)
        return y + jnp.expand_dims(bias, range(y.ndim - 1))


def parameter(module: nn.Module, name: str, initializer: Any, shape: tuple[int, ...]) -> Array:
    """Return a module's parameter, without `param`'s check, which traces the initializer."""
    if module.is_initializing():
        made: Array = module.param(name, initializer, shape)
        return made
    value: Array = module.get_variable("params", name)
    return value
