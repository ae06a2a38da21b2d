"""The differentiable image of weights of labels."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from fvjax.data import textures
from fvjax.data.mixtures import render_mixture

KEY = jax.random.key(0)


def test_a_mixture_of_one_label_each_is_the_generator_s_image(key: jax.Array) -> None:
    n = replace(textures.nuisances(key), noise=jnp.zeros(()))
    for labels in ((0, 0, 0), (3, 1, 5), (7, 6, 7)):
        expected = textures.render(*labels, n, jax.random.key(0))
        shape, texture, hue = (jax.nn.one_hot(i, 8) for i in labels)
        found = render_mixture(shape, texture, hue, n)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_gradient_of_a_mixture_is_finite_in_a_batch() -> None:
    def slope(key: jax.Array) -> Array:
        def brightness(places: Array) -> Array:
            even = jnp.full(8, 1 / 8)
            n = textures.nuisances_at(places)
            return jnp.sum(weights * render_mixture(even, even, even, n))

        weights = jax.random.normal(key, (64, 64, 3))
        return jax.grad(brightness)(jax.random.uniform(key, (20,)))

    slopes = jax.jit(jax.vmap(slope))(jax.random.split(KEY, 3))
    assert bool(jnp.isfinite(slopes).all())
