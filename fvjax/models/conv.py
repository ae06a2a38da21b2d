"""A linen convolution with this package's quick gradients."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from fvjax.models import layers


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
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        pads = ((self.pad, self.pad), (self.pad, self.pad))
        y = layers.conv(x, kernel, self.stride, pads)
        return y + jnp.expand_dims(bias, range(y.ndim - 1))
