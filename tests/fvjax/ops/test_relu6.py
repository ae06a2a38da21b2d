"""ReLU6 is JAX's own, and redirection frees a channel that is stuck at either end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from fvjax.ops.relu6 import relu6


def test_values_and_gradients_are_jax_s(key: Array) -> None:
    x = 6 * jax.random.normal(key, (4, 5, 7))
    np.testing.assert_array_equal(relu6(x), jax.nn.relu6(x))
    expected = jax.grad(lambda x: jnp.sum(jnp.sin(jax.nn.relu6(x))))(x)
    for redirect in (False, jnp.array(True)):  # no channel is stuck
        found = jax.grad(lambda x, r=redirect: jnp.sum(jnp.sin(relu6(x, r))))(x)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_stuck_channel_passes_what_moves_it_inwards(sign: float) -> None:
    low, high, mixed = -jnp.ones((3, 3)), 7 * jnp.ones((3, 3)), jnp.ones((3, 3))
    x = jnp.stack([low, high, mixed.at[0].set(-1.0)], -1)

    def score(x: Array, redirect: Array) -> Array:
        return sign * jnp.sum(relu6(x, redirect))

    plain = jax.grad(score)(x, jnp.array(False))
    assert not plain[..., :2].any()
    freed = jax.grad(score)(x, jnp.array(True))
    assert (freed[..., 0] == max(sign, 0)).all()  # at 0 only upwards
    assert (freed[..., 1] == min(sign, 0)).all()  # at 6 only downwards
    np.testing.assert_array_equal(freed[..., 2], plain[..., 2])  # never where some unit is free


def test_only_the_stuck_image_of_a_batch_is_redirected() -> None:
    x = jnp.stack([-jnp.ones((2, 2, 1)), jnp.ones((2, 2, 1)).at[0, 0].set(-1.0)])
    flags = jnp.array([True, True])
    found = jax.vmap(jax.grad(lambda x, r: jnp.sum(relu6(x, r))))(x, flags)
    assert (found[0] == 1).all() and found[1, 0, 0, 0] == 0
    off = jax.vmap(jax.grad(lambda x, r: jnp.sum(relu6(x, r))))(x, ~flags)
    assert not off[0].any()
