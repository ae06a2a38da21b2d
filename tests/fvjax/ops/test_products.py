"""Products in bfloat16: exact up to the rounding of factors, whatever the processor has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jaxtyping import Array

from fvjax.ops import convolution, layers, products
from fvjax.ops.products import matmul

pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="a CPU's implementation")
CONVOLUTIONS: list[tuple[Any, Any, int, Any]] = [  # size, kernel, stride, padding
    ((9, 8, 40), (3, 3, 24), 1, ((1, 1), (1, 1))),
    ((7, 6, 16), (5, 5, 16), 1, ((2, 2), (2, 2))),
    ((8, 9, 24), (4, 3, 20), 1, ((3, 0), (2, 5))),
    ((12, 12, 16), (3, 3, 32), 2, ((1, 1), (1, 1))),
    ((6, 5, 48), (1, 1, 16), 1, ((0, 0), (0, 0))),
    ((16, 16, 3), (7, 7, 8), 2, ((3, 3), (3, 3))),  # too few inputs for a product
]


@pytest.fixture(params=["amx_bf16", "avx512_bf16", None])
def unit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[products.Unit | None]:
    for module in (products, convolution):
        monkeypatch.setattr(module, "bfloat16_unit", lambda: request.param)
    jax.clear_caches()  # of programs for the other processor
    yield request.param
    jax.clear_caches()


def rounded(*shapes: tuple[int, ...]) -> list[Array]:
    """Random numbers of 8 bits."""
    keys = jax.random.split(jax.random.key(0), len(shapes))
    draws = (jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True))
    return [x.astype(jnp.bfloat16).astype(jnp.float32) for x in draws]


def assert_near(found: Array, expected: Array, within: float) -> None:
    assert found.shape == expected.shape
    scale = float(jnp.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=within * scale)


def correlated(x: Array, kernel: Array, stride: int, padding: Any) -> Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=numbers)


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_convolution_rounds_factors_alone(
    unit: products.Unit | None, size: Any, kernel: Any, stride: int, padding: Any
) -> None:
    rows, columns, features = kernel
    x, k = rounded((2, *size), (rows, columns, size[-1], features))
    narrow = k.astype(jnp.bfloat16)

    def conv(x: Array, k: Array) -> Array:
        return layers.conv(x, k, stride, padding)

    expected, pull_plain = jax.vjp(lambda x, k: correlated(x, k, stride, padding), x, k)
    found, pull = jax.vjp(jax.jit(conv), x, narrow)
    (g,) = rounded(expected.shape)
    assert found.dtype == jnp.float32
    assert_near(found, expected, 1e-5)  # factors are exact
    (dx, dk), (dx_plain, dk_plain) = pull(g), pull_plain(g)
    assert_near(dx, dx_plain, 1e-5)
    assert dk.dtype == jnp.bfloat16
    assert_near(dk.astype(jnp.float32), dk_plain, 0.01)
    scaled = conv(x * 1.001, narrow)  # factors are rounded
    assert_near(scaled, 1.001 * expected, 0.01)
    alone = jax.jit(conv)(x[0], narrow)
    assert_near(alone, found[0], 1e-5)
    assert_near(jax.jit(jax.vmap(conv, (0, None)))(x, narrow), found, 1e-5)
    each = jax.vmap(conv)(x, jnp.stack([narrow, 2 * narrow]))
    assert_near(each, found * jnp.array([1, 2]).reshape(2, 1, 1, 1), 1e-5)


def test_matmul_rounds_factors_alone(unit: products.Unit | None) -> None:
    x, y = rounded((3, 5, 40), (40, 24))
    narrow = y.astype(jnp.bfloat16)
    expected, pull_plain = jax.vjp(jnp.matmul, x, y)
    found, pull = jax.vjp(jax.jit(matmul), x, narrow)
    (g,) = rounded(expected.shape)
    assert found.dtype == jnp.float32
    assert_near(found, expected, 1e-5)
    (dx, dy), (dx_plain, dy_plain) = pull(g), pull_plain(g)
    assert_near(dx, dx_plain, 1e-5)
    assert dy.dtype == jnp.bfloat16
    assert_near(dy.astype(jnp.float32), dy_plain, 0.01)
    assert_near(jax.vmap(matmul, (0, None))(x, narrow), expected, 1e-5)
    assert_near(jax.vmap(matmul, (1, None))(x, narrow), expected.swapaxes(0, 1), 1e-5)
    kernels = jnp.stack([narrow, narrow, 3 * narrow])
    assert_near(jax.vmap(matmul)(x, kernels), expected * jnp.array([1, 1, 3])[:, None, None], 0.01)


def test_products_in_bfloat16_return_float32(unit: products.Unit | None) -> None:
    """XLA:CPU is quick at no other product of bfloat16; without a unit, factors stay float32."""

    def score(x: Array, wide: Array, flat: Array) -> Array:
        return jnp.sum(layers.conv(layers.conv(x, wide, 1, ((1, 1), (1, 1))), flat) ** 2)

    x = jax.ShapeDtypeStruct((4, 8, 8, 64), jnp.float32)
    kernels = [jax.ShapeDtypeStruct(s, jnp.bfloat16) for s in ((3, 3, 64, 32), (1, 1, 32, 16))]
    step = jax.jit(jax.grad(score))
    text = jax.export.export(step, platforms=["cpu"])(x, *kernels).mlir_module()
    found = [line for line in text.splitlines() if "= stablehlo.dot_general" in line]
    # Winograd's kernels are transformed by a product, forward and backward. Here its tiles of 4
    # beat AVX-512 in bfloat16.
    transforms = 0 if unit == "amx_bf16" else 2
    assert len(found) == 4 + transforms and "stablehlo.convolution" not in text
    narrow = [line for line in found if line.count("xbf16>") == 2 and "xf32>" in line]
    assert len(narrow) == {"amx_bf16": 4, "avx512_bf16": 2, None: 0}[unit]


def test_avx512_multiplies_bfloat16_where_winograd_has_no_tiles_of_4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(convolution, "bfloat16_unit", lambda: "avx512_bf16")
    x = jax.ShapeDtypeStruct((4, 8, 8, 32), jnp.float32)
    kernel = jax.ShapeDtypeStruct((5, 5, 32, 64), jnp.bfloat16)
    conv = jax.jit(lambda x, k: layers.conv(x, k, 1, ((2, 2), (2, 2))))
    text = jax.export.export(conv, platforms=["cpu"])(x, kernel).mlir_module()
    (product,) = [line for line in text.splitlines() if "= stablehlo.dot_general" in line]
    assert product.count("xbf16>") == 2 and "xf32>" in product


def test_the_quickest_unit_for_bfloat16_is_found_among_a_processors_flags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: dict[str, Any] = {
        "flags: avx512f avx512_bf16 amx_bf16 amx_tile": "amx_bf16",
        "flags: avx2 avx512f avx512_bf16": "avx512_bf16",
        "flags: avx2 fma": None,
    }
    for flags, expected in read.items():
        monkeypatch.setattr(Path, "read_text", lambda _, flags=flags: flags)
        assert products.bfloat16_unit.__wrapped__() == expected
