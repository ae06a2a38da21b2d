"""Layers compute what the plain lax formulation does, forward and backward."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from fvjax.ops import layers, pooling
from fvjax.ops.convolution import by_rows
from fvjax.ops.winograd import Padding, winograd

CONVS = [  # (height, width, channels), (rows, columns, features), stride, padding
    ((7, 9, 3), (3, 3, 5), 1, ((1, 1), (1, 1))),
    ((7, 9, 3), (3, 3, 5), 1, ((0, 0), (0, 0))),
    ((8, 6, 2), (3, 2, 4), 1, ((2, 0), (0, 1))),
    ((5, 5, 2), (2, 2, 3), 1, ((3, 2), (2, 3))),  # padding beyond the kernel
    ((6, 5, 4), (1, 1, 3), 1, ((0, 0), (0, 0))),
    ((6, 5, 4), (1, 1, 3), 1, ((1, 1), (0, 2))),
    ((6, 5, 4), (1, 1, 3), 2, ((0, 0), (0, 0))),
    ((11, 9, 3), (7, 7, 4), 2, ((3, 3), (3, 3))),
    ((10, 13, 3), (3, 3, 4), 2, ((0, 0), (0, 0))),
    ((10, 13, 3), (6, 6, 4), 2, ((2, 2), (2, 2))),
    ((13, 11, 2), (5, 4, 3), 3, ((1, 2), (0, 1))),
    ((9, 9, 2), (2, 2, 3), 4, ((0, 0), (0, 0))),  # stride beyond the kernel
]
WINOGRAD = [  # the same, of layers wide enough for Winograd's tiles on a CPU; and the tiles
    (((6, 6, 32), (3, 3, 33), 1, ((1, 1), (1, 1))), 2),
    (((9, 7, 32), (3, 3, 33), 1, ((1, 1), (1, 1))), 2),  # in a batch of two, 12 tiles of 4
    (((9, 13, 32), (3, 3, 33), 1, ((1, 1), (1, 1))), 4),  # 24
    (((13, 15, 33), (3, 3, 32), 1, ((1, 1), (1, 1))), 4),
    (((14, 12, 32), (3, 3, 32), 1, ((0, 2), (1, 0))), 4),
    (((9, 9, 32), (3, 3, 32), 1, ((4, 3), (3, 4))), 4),  # forward only
    (((9, 10, 32), (5, 5, 34), 1, ((2, 2), (2, 2))), 2),
    (((8, 12, 34), (5, 5, 32), 1, ((1, 4), (0, 3))), 2),
]
POOLS = [  # (height, width, channels), window, stride, padding
    ((8, 8, 3), 2, 2, ((0, 0), (0, 0))),
    ((7, 9, 3), 3, 2, ((0, 0), (0, 0))),
    ((7, 8, 2), 3, 2, ((0, 1), (0, 1))),
    ((6, 7, 2), 3, 1, ((1, 1), (1, 1))),
    ((9, 8, 2), 3, 3, ((1, 0), (0, 2))),
    ((9, 11, 2), 2, 3, ((0, 0), (0, 0))),  # stride beyond the window
    ((11, 9, 2), 5, 2, ((2, 2), (1, 2))),
]


def plain_conv(x: Array, kernel: Array, stride: int, padding: Padding) -> Array:
    flat = x.reshape(-1, *x.shape[-3:])
    y = lax.conv_general_dilated(
        flat, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y.reshape(*x.shape[:-3], *y.shape[1:])


def plain_pool(x: Array, window: int, stride: int, padding: Padding) -> Array:
    ones = (1,) * (x.ndim - 3)
    lead = ((0, 0),) * (x.ndim - 3)
    return lax.reduce_window(
        x,
        -jnp.inf,
        lax.max,
        (*ones, window, window, 1),
        (*ones, stride, stride, 1),
        (*lead, *padding, (0, 0)),
    )


def plain_norm(x: Array) -> Array:
    squares = jnp.pad(x * x, ((0, 0),) * (x.ndim - 1) + ((2, 2),))
    near = jnp.stack([squares[..., i : i + x.shape[-1]] for i in range(5)]).sum(0)
    return x / (1 + 1e-4 / 5 * near) ** 0.75


def draws(key: Array, *shapes: tuple[int, ...]) -> list[Array]:
    keys = jax.random.split(key, len(shapes))
    return [jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)]


def assert_same(
    f: Callable[..., Array], plain: Callable[..., Array], *args: Array, within: float = 3e-6
) -> None:
    """Values, and the gradients by every argument for a random cotangent, agree to rounding."""
    expected, pull_plain = jax.vjp(plain, *args)
    found, pull = jax.vjp(f, *args)
    cotangent = jax.random.normal(jax.random.key(9), expected.shape)
    pairs = zip((found, *pull(cotangent)), (expected, *pull_plain(cotangent)), strict=True)
    for a, b in pairs:
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=within * max(1.0, float(jnp.abs(b).max())))


def in_scan(f: Callable[..., Array]) -> Callable[..., Array]:
    """`f` of a leading axis, by a loop inside the program."""

    def looped(x: Array, *rest: Array) -> Array:
        return lax.scan(lambda _, one: (None, f(one, *rest)), None, x)[1]

    return looped


def _rounding(features: int) -> float:
    return 1e-5 if features >= 32 else 3e-6  # wide layers may go by Winograd's tiles of 4


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"), CONVS + [case for case, _ in WINOGRAD]
)
def test_convolution_is_the_plain_one(
    size: Any, kernel: Any, stride: int, padding: Padding, key: Array
) -> None:
    rows, columns, features = kernel
    x, k = draws(key, (2, *size), (rows, columns, size[-1], features))
    quick = jax.jit(lambda x, k: layers.conv(x, k, stride, padding))
    plain = jax.jit(lambda x, k: plain_conv(x, k, stride, padding))
    assert_same(quick, plain, x, k, within=_rounding(features))
    alone, among = quick(x[0], k), quick(x, k)[0]
    np.testing.assert_allclose(alone, among, atol=2 * _rounding(features) * float(abs(among).max()))


@pytest.mark.parametrize("case", [CONVS[0], CONVS[4], CONVS[7], WINOGRAD[0][0], WINOGRAD[1][0]])
def test_convolution_under_vmap_scan_and_leading_axes(case: Any, key: Array) -> None:
    size, (rows, columns, features), stride, padding = case
    x, k = draws(key, (2, 3, *size), (rows, columns, size[-1], features))
    within = _rounding(features)

    def one(x: Array, k: Array) -> Array:
        return layers.conv(x, k, stride, padding)

    def plain(x: Array, k: Array) -> Array:
        return plain_conv(x, k, stride, padding)

    assert_same(jax.jit(one), plain, x, k, within=within)
    assert_same(jax.jit(jax.vmap(jax.vmap(one, (0, None)), (0, None))), plain, x, k, within=within)
    assert_same(jax.jit(in_scan(one)), plain, x, k, within=within)
    kernels = jnp.stack([k, 2 * k])
    assert_same(jax.jit(jax.vmap(one)), jax.vmap(plain), x, kernels, within=within)


@pytest.mark.parametrize(("case", "tile"), WINOGRAD)
def test_wide_convolutions_go_by_tiles_on_a_cpu_alone(case: Any, tile: int) -> None:
    size, (rows, columns, features), stride, padding = case
    x = jax.ShapeDtypeStruct((2, *size), jnp.float32)
    k = jax.ShapeDtypeStruct((rows, columns, size[-1], features), jnp.float32)
    step = jax.jit(lambda x, k: layers.conv(x, k, stride, padding))
    cpu, gpu = (jax.export.export(step, platforms=[p])(x, k).mlir_module() for p in ("cpu", "cuda"))
    assert f"tensor<{(tile + rows - 1) ** 2}x" in cpu and "stablehlo.convolution" not in cpu
    assert "stablehlo.convolution" in gpu and "dot_general" not in gpu


@pytest.mark.slow
@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((3, 0), (2, 5)), ((0, 0), (0, 0))])
def test_rows_apart_are_the_plain_convolution(padding: Padding, key: Array) -> None:
    x, k = draws(key, (2, 9, 8, 40), (4, 3, 40, 5))
    plain = partial(plain_conv, stride=1, padding=padding)
    assert_same(partial(by_rows, padding=padding), plain, x, k, within=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "r"), [(2, 3), (4, 3), (2, 5)])
def test_winograd_rounds_as_stated(m: int, r: int, key: Array) -> None:
    x, k = draws(key, (3, 15, 13, 64), (r, r, 64, 48))
    around = ((1, 1), (1, 1))
    with jax.enable_x64():
        exact = np.asarray(plain_conv(jnp.float64(x), jnp.float64(k), 1, around))
    error = np.abs(np.asarray(winograd(x, k, around, m)) - exact).max() / np.abs(exact).max()
    assert error < {4: 4e-7, 6: 8e-6}[m + r - 1]


def test_winograd_transforms_a_kernel_by_one_matrix_product(key: Array) -> None:
    """Sums of its parts would be compiled by LLVM for every kernel of a network."""
    x, k = jax.random.normal(key, (1, 8, 8, 32)), jax.random.normal(key, (3, 3, 32, 48))
    around = ((1, 1), (1, 1))
    text = jax.jit(partial(winograd, padding=around, m=4)).lower(x, k).as_text()
    assert text.count("stablehlo.dot_general") == 2  # of the kernel, and of all tiles
    assert text.count("stablehlo.concatenate") == 4  # two axes of the input and of the output


@pytest.mark.parametrize(("size", "window", "stride", "padding"), POOLS)
def test_max_pool_is_the_plain_one_ties_included(
    size: Any, window: int, stride: int, padding: Padding, key: Array
) -> None:
    (x,) = draws(key, (2, *size))
    quick = jax.jit(lambda x: layers.max_pool(x, window, stride, padding))
    plain = jax.jit(lambda x: plain_pool(x, window, stride, padding))
    assert_same(quick, plain, x)
    assert_same(quick, plain, jnp.maximum(x, 0))  # many equal maxima at 0
    assert_same(quick, plain, jnp.round(x))
    assert_same(quick, plain, -jnp.abs(x) - 1)  # padding never wins


@pytest.mark.parametrize(("size", "window", "stride", "padding"), POOLS)
def test_max_pools_gradient_on_a_gpu_is_that_on_a_cpu(
    size: Any, window: int, stride: int, padding: Padding, key: Array
) -> None:
    """Both run on this processor; lowering would choose one of them."""
    image, strides = jax.ShapeDtypeStruct(size, jnp.float32), (window, stride, padding)
    shape = jax.eval_shape(lambda x: layers.max_pool(x, *strides), image).shape
    g, winner = jax.random.normal(key, (2, *shape)), jax.random.randint(key, (2, *shape), 0, 9)
    where = (size[:2], *strides)
    (ours,) = pooling.pool_gradient_by_index(g, winner % window**2, *where)
    (theirs,) = pooling.pool_gradient(g, winner % window**2, *where)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)  # the order of a sum
    assert np.asarray(theirs).any()


def test_max_pool_under_vmap_scan_and_leading_axes(key: Array) -> None:
    size, window, stride, padding = POOLS[2]
    (x,) = draws(key, (2, 3, *size))

    def one(x: Array) -> Array:
        return layers.max_pool(x, window, stride, padding)

    def plain(x: Array) -> Array:
        return plain_pool(x, window, stride, padding)

    assert_same(jax.jit(one), plain, x)
    assert_same(jax.jit(jax.vmap(jax.vmap(one))), plain, x)
    assert_same(jax.jit(in_scan(one)), plain, x)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 7, 8, 112, 113])
def test_ceil_padding_rounds_as_caffe_does(size: int) -> None:
    (low, high), _ = layers.ceil_padding((size, size), 3, 2)
    outputs = (size + low + high - 3) // 2 + 1
    assert low == 0
    assert outputs == max(-(-(size - 3) // 2), 0) + 1  # Caffe: ceil((size - window) / stride) + 1
    assert (outputs - 1) * 2 < size  # the last window starts inside


@pytest.mark.parametrize("channels", [1, 3, 64])
def test_local_response_norm_is_the_plain_one(channels: int, key: Array) -> None:
    (x,) = draws(key, (2, 3, 4, channels))
    for scale in (1.0, 300.0):  # 300: the sum of squares matters
        assert_same(jax.jit(layers.local_response_norm), plain_norm, scale * x)
        assert_same(jax.jit(jax.vmap(layers.local_response_norm)), plain_norm, scale * x)
        assert_same(jax.jit(in_scan(layers.local_response_norm)), plain_norm, scale * x)
    assert float(jnp.abs(plain_norm(300 * x) / (300 * x) - 1).max()) > 0.1


def test_average_pool_is_the_mean_of_each_window(key: Array) -> None:
    (x,) = draws(key, (2, 6, 9, 4))

    def plain(x: Array) -> Array:
        sums = lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 3, 3, 1), "VALID")
        return sums / 9

    assert_same(lambda x: layers.average_pool(x, 3), plain, x)


def test_relu_is_the_plain_one_while_redirect_is_off(key: Array) -> None:
    (x,) = draws(key, (2, 4, 5, 6))
    assert_same(layers.relu, jax.nn.relu, x)
    assert_same(lambda x: layers.relu(x, jnp.asarray(False)), jax.nn.relu, x)
    assert_same(lambda x: layers.relu(x, False), jax.nn.relu, -jnp.abs(x))


def pulled(x: Array, cotangent: Array, redirect: bool) -> Array:
    """The cotangent that leaves the ReLU; traced flag, as in the loop."""
    return jax.jit(lambda x, g, on: jax.vjp(lambda x: layers.relu(x, on), x)[1](g)[0])(
        x, cotangent, jnp.asarray(redirect)
    )


def test_redirect_wakes_a_dead_channel_and_only_upwards() -> None:
    x = jnp.full((3, 3, 2), -1.0)
    g = jnp.stack([jnp.full((3, 3), 2.0), jnp.full((3, 3), -2.0)], -1)
    assert not jnp.any(pulled(x, g, False))
    np.testing.assert_array_equal(pulled(x, g, True), jnp.maximum(g, 0))


def test_redirect_may_be_a_constant_inside_a_loop_under_vmap(key: Array) -> None:
    def slope(x: Array) -> Array:
        return jax.grad(lambda x: layers.relu(x - 9, True).sum())(x)

    def looped(x: Array) -> Array:
        return lax.map(lambda scale: slope(x * scale), jnp.ones(2))

    (x,) = draws(key, (3, 4, 4, 5))
    np.testing.assert_array_equal(jax.jit(jax.vmap(looped))(x), jnp.ones((3, 2, 4, 4, 5)))


def test_redirect_leaves_an_alive_channel_bit_for_bit(key: Array) -> None:
    x, g = draws(key, (4, 4, 6), (4, 4, 6))
    np.testing.assert_array_equal(pulled(x, g, True), pulled(x, g, False))
    np.testing.assert_array_equal(layers.relu(x, True), layers.relu(x, False))


def test_redirect_wakes_a_dead_channel_under_a_penalty_through_other_channels(key: Array) -> None:
    x, g = draws(key, (4, 4, 3), (4, 4, 3))
    x = x.at[..., 1].set(-1.0)  # dead
    g = jnp.abs(g).at[..., 2].set(-0.1)  # channel 2: a penalty's
    on, off = pulled(x, g, True), pulled(x, g, False)
    np.testing.assert_array_equal(on[..., 1], g[..., 1])
    assert not jnp.any(off[..., 1])
    np.testing.assert_array_equal(on[..., jnp.array([0, 2])], off[..., jnp.array([0, 2])])
    assert jnp.any(off[..., 2] != 0)


def test_redirect_wakes_a_channel_that_is_alive_where_no_cotangent_arrives() -> None:
    x = jnp.full((3, 3, 1), -1.0).at[0, 0, 0].set(1.0)
    g = jnp.zeros((3, 3, 1)).at[1, 1, 0].set(1.0)  # an objective at the centre
    np.testing.assert_array_equal(pulled(x, g, True), g)


def test_redirect_decides_per_image_under_vmap_and_leading_axes(key: Array) -> None:
    x, g = draws(key, (2, 4, 4, 3), (2, 4, 4, 3))
    x = x.at[0, ..., 1].set(-1.0)  # dead in the first image alone
    g = jnp.abs(g)
    expected = jnp.where(x > 0, g, 0).at[0, ..., 1].set(g[0, ..., 1])

    def pull(x: Array, g: Array, on: Array) -> Array:
        return jax.vjp(lambda x: layers.relu(x, on), x)[1](g)[0]

    on = jnp.asarray(True)
    np.testing.assert_array_equal(jax.vmap(pull, (0, 0, None))(x, g, on), expected)
    np.testing.assert_array_equal(pull(x, g, on), expected)
    mixed = jax.vmap(pull)(jnp.stack([x[0]] * 2), jnp.stack([g[0]] * 2), jnp.array([True, False]))
    np.testing.assert_array_equal(mixed[0], expected[0])
    np.testing.assert_array_equal(mixed[1], jnp.where(x[0] > 0, g[0], 0))


@pytest.mark.slow
def test_no_convolution_of_a_compiled_step_has_the_slow_kernel_layout(key: Array) -> None:
    x, a, b = draws(key, (4, 32, 32, 3), (7, 7, 3, 32), (3, 3, 32, 64))

    def run(conv: Callable[..., Array], x: Array, a: Array, b: Array) -> Array:
        def score(x: Array) -> Array:
            y = jax.nn.relu(conv(x, a, 2, ((3, 3), (3, 3))))
            return jnp.sum(jax.nn.relu(conv(y, b, 1, ((1, 1), (1, 1)))))

        return lax.scan(lambda x, _: (x + 0.1 * jax.grad(score)(x), None), x, None, 3)[0]

    def layouts(conv: Callable[..., Array]) -> list[str]:
        step = jax.jit(lambda x, a, b: run(conv, x, a, b)).lower(x, a, b).compile()
        return re.findall(r"dim_labels=\w+_(\w+)->", step.as_text() or "")

    quick, plain = layouts(layers.conv), layouts(plain_conv)
    assert quick and "01oi" not in quick
    if jax.default_backend() == "cpu":
        assert "01oi" in plain  # the trap is still there to be avoided
