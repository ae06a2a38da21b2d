"""ATen's activation functions in JAX; ReLUs, which may be redirected, are in `interpret`."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from fvjax.models.torch.operators.elementwise import unary


def _gelu(x: Array, approximate: str = "none") -> Array:
    """Apply the exact GELU by erf; jax.nn.gelu uses erfc, which is slower on XLA:CPU."""
    if approximate == "tanh":
        return jax.nn.gelu(x)
    return x * (0.5 + 0.5 * lax.erf(x * 0.5**0.5))


def _softplus(x: Array, beta: float = 1, threshold: float = 20) -> Array:
    return jnp.where(x * beta > threshold, x, jax.nn.softplus(x * beta) / beta)


def _elu(x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    return scale * jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x * input_scale, 0)))


def _celu(x: Array, alpha: float = 1) -> Array:
    return jnp.maximum(x, 0) + jnp.minimum(alpha * jnp.expm1(x / alpha), 0)


def _selu(x: Array) -> Array:
    return jax.nn.selu(x)


def _prelu(x: Array, weight: Array) -> Array:
    """Apply PReLU with a slope for each channel, which is axis 1."""
    slope = weight.reshape(1, -1, *[1] * (x.ndim - 2)) if weight.ndim == 1 else weight
    return jnp.where(x > 0, x, x * slope)


def _hardshrink(x: Array, bound: float = 0.5) -> Array:
    return jnp.where(jnp.abs(x) <= bound, 0, x)


def _softshrink(x: Array, bound: float = 0.5) -> Array:
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - bound, 0)


def _threshold(x: Array, threshold: float, value: float) -> Array:
    return jnp.where(x > threshold, x, value)


UNARY: Mapping[str, Callable[[Array], Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "log_sigmoid": jax.nn.log_sigmoid,
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "hardsigmoid": lambda x: jnp.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * (jnp.clip(x + 3, 0, 6) / 6),
}
OPERATORS: Mapping[str, Callable[..., Any]] = {
    **{f"{name}.default": unary(function) for name, function in UNARY.items()},
    "gelu.default": _gelu,
    "softplus.default": _softplus,
    "elu.default": _elu,
    "celu.default": _celu,
    "selu.default": _selu,
    "prelu.default": _prelu,
    "_prelu_kernel.default": _prelu,
    "leaky_relu.default": lambda x, slope=0.01: jnp.where(x > 0, x, x * slope),
    "rrelu.default": lambda x, low, high, *_: jnp.where(x > 0, x, x * (low + high) / 2),
    "hardshrink.default": _hardshrink,
    "softshrink.default": _softshrink,
    "threshold.default": _threshold,
}
