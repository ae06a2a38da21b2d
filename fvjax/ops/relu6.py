"""ReLU6, the activation of networks for phones, with redirection at both ends."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from fvjax.ops.layers import blocked
from fvjax.ops.primitive import stored
from fvjax.types import Flag

_Saved = tuple[Float[Array, "*shape"], Bool[Array, ""]]


@jax.named_scope("relu")
def relu6(x: Float[Array, "*shape"], redirect: Flag = False) -> Float[Array, "*shape"]:
    """Return min(max(x, 0), 6); with `redirect`, blocking channels pass some gradients.

    A channel whose units are all at 0 or 6 passes no gradient. With `redirect`, its units at 0 pass
    positive cotangents, and its units at 6 negative cotangents. Channels are the last axis;
    `fvjax.ops.layers.relu` gives the reason for channels.
    """
    return _relu6(x, redirect)


@jax.custom_vjp
def _relu6(x: Array, redirect: Flag) -> Array:
    return _forward(x, redirect)[0]


def _forward(x: Array, redirect: Flag) -> tuple[Array, _Saved]:
    y = stored(jnp.clip(x, 0, 6))
    return y, (y, jnp.asarray(redirect))


def _backward(saved: _Saved, g: Array) -> tuple[Array, Any]:
    y, redirect = saved
    g, below = stored(g), y < 6
    gated = jnp.where((y > 0) & below, g, 0)
    (stuck,) = blocked(gated, redirect, space=min(max(g.ndim - 1, 0), 2))
    inwards = jnp.where(below, jnp.maximum(g, 0), jnp.minimum(g, 0))
    return jnp.where(stuck, inwards, gated), None


_relu6.defvjp(_forward, _backward)
