"""The type of activations is that of the platform which a program is traced for."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import fvjax
from fvjax.ops import layers
from fvjax.ops.platform import PLATFORMS, activation_type


def test_activations_beside_bfloat16_are_float32_on_a_cpu_alone() -> None:
    for platform in PLATFORMS:
        with fvjax.for_platform(platform):
            assert activation_type(jnp.float32) == jnp.float32
            assert (activation_type(jnp.bfloat16) == jnp.float32) == (platform == "cpu")
    on_cpu = jax.default_backend() == "cpu"
    assert (activation_type(jnp.bfloat16) == jnp.float32) == on_cpu


def test_a_program_is_traced_again_for_another_platform() -> None:
    step = jax.jit(layers.conv)
    x = jax.ShapeDtypeStruct((2, 8, 8, 64), jnp.float32)
    kernel = jax.ShapeDtypeStruct((3, 3, 64, 32), jnp.bfloat16)

    def kind(platform: str) -> Any:
        with fvjax.for_platform(platform):
            (out,) = jax.export.export(step, platforms=[platform])(x, kernel).out_avals
        return out.dtype

    assert [kind(name) for name in ("cpu", "cuda", "cpu")] == ["float32", "bfloat16", "float32"]


def test_an_unknown_platform_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown platform 'cude'.*did you mean cuda"):
        fvjax.for_platform("cude")


def test_a_gpu_has_its_own_gradients_of_pools_and_of_the_first_convolution() -> None:
    """A pool's gradient reads at clipped positions; a narrow convolution goes by rows."""
    x = jax.ShapeDtypeStruct((32, 32, 3), jnp.float32)
    kernel = jnp.ones((7, 7, 3, 16))

    def score(x: Any) -> Any:
        y = layers.conv(x, kernel, 2, ((3, 3), (3, 3)))
        return jnp.sum(layers.max_pool(y, 3, 2, ((0, 1), (0, 1))) ** 2)

    step = jax.jit(jax.grad(score))
    text = {p: jax.export.export(step, platforms=[p])(x).mlir_module() for p in ("cpu", "cuda")}
    assert "stablehlo.gather" in text["cuda"] and "stablehlo.gather" not in text["cpu"]
    wide = [line for line in text["cuda"].splitlines() if "= stablehlo.convolution" in line]
    assert any("x48xf32>" in line.rpartition("->")[2] for line in wide)  # 4 rows of 12 features
