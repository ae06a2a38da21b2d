"""An operation as a primitive: traced when lowered, once, for one platform."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from fvjax.ops.primitive import primitive

TRACED: list[str] = []


def _doubled(x: Array, scale: Array) -> list[Array]:
    TRACED.append("default")
    return [2 * x * jnp.expand_dims(scale, range(scale.ndim, x.ndim)), x > 0]


def _on_cpu(x: Array, scale: Array) -> list[Array]:
    TRACED.append("cpu")
    return [(x + x) * jnp.expand_dims(scale, range(scale.ndim, x.ndim)), x > 0]


def _shapes(x: Any, scale: Any) -> list[Any]:
    return [(x.shape, x.dtype), (x.shape, jnp.bool_)]


doubled = primitive("doubled", _shapes, _doubled, cpu=_on_cpu)


@jax.custom_vjp
def double(x: Array) -> Array:
    return doubled(x, jnp.float32(1))[0]


double.defvjp(lambda x: (double(x), None), lambda _, g: (double(g),))


def test_an_operation_is_traced_when_it_is_lowered_and_for_its_platform_alone() -> None:
    def climbed(x: Array) -> Array:
        return lax.scan(
            lambda x, _: (x + jax.grad(lambda x: double(x).sum())(x), None), x, None, 3
        )[0]

    x = jnp.arange(6.0).reshape(2, 3)
    TRACED.clear()
    traced = jax.jit(jax.vmap(climbed)).trace(x)
    assert not TRACED
    lowered = traced.lower(lowering_platforms=("cpu",))
    assert TRACED == ["cpu"]  # of value and gradient, the value is not needed
    np.testing.assert_array_equal(lowered.compile()(x), x + 6)
    TRACED.clear()
    traced.lower(lowering_platforms=("cuda",))
    assert TRACED == ["default"]


def test_the_batched_axis_may_be_any_and_of_any_array() -> None:
    x, scales = jnp.arange(12.0).reshape(3, 4), jnp.array([1.0, 2.0, 3.0, 4.0])
    for axes, out in (((1, 0), scales), ((1, None), scales[1]), ((None, 0), scales)):
        once = x if axes[0] == 1 else x[:, 0]
        given = once, scales if axes[1] == 0 else out
        found = jax.vmap(doubled, axes)(*given)
        columns = [once[:, i] if axes[0] == 1 else once for i in range(4)]
        factors = [scales[i] if axes[1] == 0 else out for i in range(4)]
        np.testing.assert_array_equal(
            found[0], [2 * x * s for x, s in zip(columns, factors, strict=True)]
        )
        np.testing.assert_array_equal(found[1], [x > 0 for x in columns])


def test_a_plain_call_and_two_vmaps_agree() -> None:
    x, scale = jnp.arange(24.0).reshape(2, 3, 4), jnp.arange(2.0)
    found = jax.vmap(jax.vmap(doubled, (0, None)))(x, scale)[0]
    np.testing.assert_array_equal(found, 2 * x * scale[:, None, None])
    np.testing.assert_array_equal(doubled(x, jnp.float32(3))[0], 6 * x)
