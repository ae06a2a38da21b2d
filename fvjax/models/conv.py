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
        kernel = self._weight("kernel", nn.initializers.he_normal(), shape)
        bias = self._weight("bias", nn.initializers.zeros_init(), (self.features,))
        pads = ((self.pad, self.pad), (self.pad, self.pad))
        y = layers.conv(x, kernel, self.stride, pads)
        return y + jnp.expand_dims(bias, range(y.ndim - 1))

    def _weight(self, name: str, initializer: Any, shape: tuple[int, ...]) -> Array:
        """The parameter, without `param`'s check that traces the initializer at every call."""
        if self.is_initializing():
            made: Array = self.param(name, initializer, shape)
            return made
        weight: Array = self.get_variable("params", name)
        return weight
