"""Convolutions of one input are the same alone and together."""

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array

from fvjax.models.conv import Conv, convs_of_one_input

FEATURES = {"wide": 7, "narrow": 2, "third": 5}


class Alone(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        return [Conv(features, name=name)(x) for name, features in FEATURES.items()]


class Together(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        return convs_of_one_input(x, FEATURES)


def test_convolutions_of_one_input_have_the_parameters_and_values_of_single_ones() -> None:
    x = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
    made = Together().init(jax.random.key(1), x)
    shapes = jax.eval_shape(Alone().init, jax.random.key(1), x)
    assert jax.tree.map(np.shape, made) == jax.tree.map(np.shape, shapes)
    noise = jax.tree.map(lambda p: p + jax.random.normal(jax.random.key(2), p.shape), made)
    for ours, theirs in zip(Together().apply(noise, x), Alone().apply(noise, x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
