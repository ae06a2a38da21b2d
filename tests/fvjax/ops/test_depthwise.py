"""Depthwise convolution and ReLU6 compute what plain JAX does, forward and backward."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from fvjax.ops.depthwise import depthwise
from fvjax.ops.platform import activation_type
from fvjax.ops.winograd import Padding

CASES = [  # (height, width, channels), kernel's side, stride, padding
    ((8, 10, 5), 3, 1, ((1, 1), (1, 1))),
    ((9, 7, 4), 5, 1, ((2, 2), (2, 2))),
    ((8, 8, 3), 3, 2, ((0, 1), (0, 1))),
    ((9, 8, 3), 3, 2, ((1, 1), (0, 1))),
    ((10, 11, 2), 5, 2, ((1, 2), (2, 2))),
    ((7, 9, 2), 5, 2, ((2, 2), (2, 2))),
    ((6, 6, 3), 3, 1, ((0, 0), (0, 0))),
    ((11, 9, 2), 3, 3, ((1, 0), (0, 2))),
    ((9, 9, 2), 2, 3, ((0, 0), (0, 0))),  # stride beyond the kernel
    ((5, 5, 2), 3, 1, ((3, 4), (4, 3))),  # padding beyond the kernel
    ((3, 2, 2), 1, 1, ((0, 0), (0, 0))),
]


def plain(x: Array, kernel: Array, stride: int, padding: Padding) -> Array:
    flat = x.reshape(-1, *x.shape[-3:])
    y = lax.conv_general_dilated(
        flat,
        kernel[:, :, None],
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )
    return y.reshape(*x.shape[:-3], *y.shape[1:])


def close(found: Any, expected: Any) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-6 * max(1.0, float(jnp.abs(b).max())))


@pytest.mark.parametrize(("size", "side", "stride", "padding"), CASES)
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_it_is_the_grouped_convolution(
    size: Any, side: int, stride: int, padding: Padding, batch: tuple[int, ...], key: Array
) -> None:
    one, other, third = jax.random.split(key, 3)
    x = jax.random.normal(one, (*batch, *size))
    kernel = jax.random.normal(other, (side, side, size[-1]))
    cotangent = jax.random.normal(third, plain(x, kernel, stride, padding).shape)

    @partial(jax.jit, static_argnums=0)
    def both_ways(function: Any, x: Array, kernel: Array) -> Any:
        y, pull = jax.vjp(lambda x, k: function(x, k, stride, padding), x, kernel)
        return y, pull(cotangent)

    close(both_ways(depthwise, x, kernel), both_ways(plain, x, kernel))


@pytest.mark.parametrize(("size", "side", "stride", "padding"), CASES[:5])
def test_under_vmap_of_images_and_of_kernels(
    size: Any, side: int, stride: int, padding: Padding, key: Array
) -> None:
    one, other = jax.random.split(key)
    x = jax.random.normal(one, (3, *size))
    kernels = jax.random.normal(other, (3, side, side, size[-1]))

    def gradients(function: Any) -> Any:
        def score(x: Array, kernel: Array) -> Array:
            return jnp.sum(jnp.sin(function(x, kernel, stride, padding)))

        return jax.value_and_grad(score), jax.value_and_grad(score, (0, 1))

    (by_image, by_both), (plain_by_image, plain_by_both) = gradients(depthwise), gradients(plain)

    @partial(jax.jit, static_argnums=(0, 1))
    def mapped(function: Any, axes: Any, x: Array, kernel: Array) -> Any:
        return jax.vmap(function, axes)(x, kernel)

    for axes, image, kernel in (
        ((0, None), x, kernels[0]),
        ((0, 0), x, kernels),
        ((None, 0), x[0], kernels),
    ):
        found, expected = (mapped(f, axes, image, kernel) for f in (by_both, plain_by_both))
        close(found, expected)
        found, expected = (mapped(f, axes, image, kernel) for f in (by_image, plain_by_image))
        close(found, expected)


def test_it_computes_in_the_kernel_s_precision(key: Array) -> None:
    x = jax.random.normal(key, (4, 4, 2))
    y = depthwise(x, jnp.ones((3, 3, 2), jnp.bfloat16), 1, ((1, 1), (1, 1)))
    assert y.dtype == activation_type(jnp.bfloat16) and y.shape == (4, 4, 2)
