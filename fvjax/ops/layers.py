"""Layers with fast gradients: convolution, pooling, normalisation, redirected ReLU.

Every function works on (..., height, width, channels); leading axes are batch axes. Backward
passes are hand-written if XLA's is slow. Convolution and pooling have their own files.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.ops.convolution import conv as conv  # among the layers, for networks
from fvjax.ops.pooling import average_pool as average_pool
from fvjax.ops.pooling import ceil_padding as ceil_padding
from fvjax.ops.pooling import max_pool as max_pool
from fvjax.ops.primitive import primitive, stored
from fvjax.types import Flag

_LRN_WINDOW, _LRN_ALPHA = 5, 1e-4  # BVLC GoogLeNet's prototxt; beta is .75, k is 1


@jax.named_scope("normalization")
def local_response_norm(x: Float[Array, "*batch channels"]) -> Float[Array, "*batch channels"]:
    """Apply Caffe's LRN: x / (1 + alpha/window * sum of x^2 over nearby channels)^(3/4)."""
    return _lrn(x)


@jax.custom_vjp
def _lrn(x: Array) -> Array:
    return _lrn_forward(x)[0]


def _nearby(t: Array) -> Array:
    """Return the sum over the window of channels around each channel."""
    half, channels = _LRN_WINDOW // 2, t.shape[-1]
    padded = jnp.pad(t, ((0, 0),) * (t.ndim - 1) + ((half, half),))
    return sum((padded[..., i : i + channels] for i in range(_LRN_WINDOW)), jnp.zeros((), t.dtype))


def _lrn_forward(x: Array) -> tuple[Array, Array]:
    _, power = _lrn_powers(x)
    return stored(x * power), x


def _lrn_powers(x: Array) -> tuple[Array, Array]:
    """Return s^(-1/2) and s^(-3/4), where s is what is raised to the power of 3/4."""
    inverse = lax.rsqrt(1 + _LRN_ALPHA / _LRN_WINDOW * _nearby(x * x))
    return inverse, inverse * jnp.sqrt(inverse)


def _lrn_backward(x: Array, g: Array) -> tuple[Array]:
    """Compute the powers again where `x` is stored: a GPU spends more on reading them."""
    x = stored(x)
    inverse, power = _lrn_powers(x)
    spread = stored(g * x * power * inverse * inverse)
    x = stored(x)
    _, power = _lrn_powers(x)
    return (g * power - 2 * 0.75 * _LRN_ALPHA / _LRN_WINDOW * x * _nearby(spread),)


_lrn.defvjp(_lrn_forward, _lrn_backward)


@jax.named_scope("relu")
def relu(x: Float[Array, "*shape"], redirect: Flag = False) -> Float[Array, "*shape"]:
    """Return max(x, 0); with `redirect`, channels that block all gradient pass positive gradients.

    A channel that is 0 everywhere passes no gradient, and the picture stays grey. With `redirect`,
    such a channel passes the cotangents that would increase it. Cotangents are those of the
    maximised score; channels are the last axis. After Lucid's redirected_relu_grad, which decides
    by image: there, a gradient through other channels prevents redirection.
    """
    return _relu(x, redirect)


@jax.custom_vjp
def _relu(x: Array, redirect: Flag) -> Array:
    return _relu_forward(x, redirect)[0]


def _relu_forward(x: Array, redirect: Flag) -> tuple[Array, tuple[Array, Bool[Array, ""]]]:
    y = stored(jnp.maximum(x, 0))  # by a GPU's convolution, which then does not store x
    return y, (y, jnp.asarray(redirect))


def _relu_backward(saved: tuple[Array, Flag], g: Array) -> tuple[Array, Any]:
    y, redirect = saved
    g = stored(g)
    gated = jnp.where(y > 0, g, 0)
    (stuck,) = blocked(gated, redirect, space=min(max(g.ndim - 1, 0), 2))
    return jnp.where(stuck, jnp.maximum(g, 0), gated), None


def _no_gradient(gated: Array, redirect: Array, space: int) -> list[Array]:
    """Return whether to redirect, for each channel of each image with `space` axes of space.

    Comparing all gradients with 0 costs a tenth of a step. It is skipped while no image of the
    batch is redirected, even under vmap, which would turn a `cond` into a `select`.
    """
    axes = tuple(range(gated.ndim - 1 - space, gated.ndim - 1))

    def compare(gated: Array) -> Array:
        flags = jnp.expand_dims(redirect, range(redirect.ndim, gated.ndim))
        return flags & jnp.all(gated == 0, axis=axes, keepdims=True)

    def skip(gated: Array) -> Array:
        return jnp.zeros(_narrowed(gated, space), bool)

    return [lax.cond(jnp.any(redirect), compare, skip, gated)]


def _narrowed(gated: Any, space: int) -> tuple[int, ...]:
    return (*gated.shape[: gated.ndim - 1 - space], *[1] * space, *gated.shape[-1:])


blocked = primitive(
    "blocked",
    lambda gated, redirect, space: [(_narrowed(gated, space), jnp.bool_)],
    _no_gradient,
)


_relu.defvjp(_relu_forward, _relu_backward)
