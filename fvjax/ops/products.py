"""Matrix products in bfloat16, which a CPU computes with sums and results in float32.

XLA:CPU uses a processor's instructions for bfloat16 (AMX, AVX-512) only for a product that returns
float32 (docs/development/performance.md).
"""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fvjax.ops.primitive import primitive

Unit = Literal["amx_bf16", "avx512_bf16"]


@cache
def bfloat16_unit() -> Unit | None:
    """Return this processor's quickest instructions for bfloat16 that Linux names, or None.

    Against float32, a product was 2 to 4 times as fast by AMX and twice as fast by AVX-512
    (docs/development/performance.md).
    """
    processor = Path("/proc/cpuinfo")
    flags = processor.read_text() if processor.exists() else ""
    units: tuple[Unit, ...] = ("amx_bf16", "avx512_bf16")
    return next((unit for unit in units if unit in flags), None)


def matmul(x: Float[Array, "*batch inputs"], y: Float[Array, "inputs outputs"]) -> Array:
    """Return `x @ y` in the type of `x`; exact gradients for both.

    If `y` is bfloat16 and `x` is wider, the factors are rounded to bfloat16 where that is faster.
    """
    return _matmul(x, y, False)


def wide_product(x: Float[Array, "rows inputs"], y: Float[Array, "inputs outputs"]) -> Array:
    """Return `x @ y`, rounded to bfloat16, in float32."""
    return lax.dot(x.astype(jnp.bfloat16), y, preferred_element_type=jnp.float32)


def _shape(x: Any, y: Any, transposed: bool) -> list[Any]:
    return [((*x.shape[:-1], y.shape[0 if transposed else 1]), x.dtype)]


def _default(x: Array, y: Array, transposed: bool) -> list[Array]:
    y = (y.T if transposed else y).astype(x.dtype)
    return [(x.reshape(-1, x.shape[-1]) @ y).reshape(*x.shape[:-1], y.shape[-1])]


def _on_cpu(x: Array, y: Array, transposed: bool) -> list[Array]:
    # The barrier keeps XLA from transposing inside the product: that is slower, and AMX cannot.
    # It lets XLA lift the transposition out of a surrounding loop.
    y = lax.optimization_barrier(y.T) if transposed else y
    rows = x.reshape(-1, x.shape[-1])
    if y.dtype == jnp.bfloat16 and bfloat16_unit():
        z = wide_product(rows, y)
    else:
        kind = jnp.promote_types(x.dtype, jnp.float32)
        z = rows.astype(kind) @ y.astype(kind)
    return [z.reshape(*x.shape[:-1], -1).astype(x.dtype)]


def _batched(
    arrays: Sequence[Array], axes: Sequence[int | None], transposed: bool
) -> Sequence[Array]:
    x, y = arrays
    if axes[0] is None or axes[1] is not None:
        return [jax.vmap(lambda x, y: _default(x, y, transposed)[0], tuple(axes))(x, y)]
    return _product(jnp.moveaxis(x, axes[0], 0), y, transposed=transposed)


_product = primitive("product", _shape, _default, _batched, cpu=_on_cpu)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _matmul(x: Array, y: Array, transposed: bool) -> Array:
    z: Array = _product(x, y, transposed=transposed)[0]
    return z


def _forward(x: Any, y: Any, transposed: bool) -> tuple[Array, tuple[Any, Array]]:
    return _matmul(x.value, y.value, transposed), (x.value if y.perturbed else None, y.value)


def _backward(transposed: bool, saved: tuple[Any, Array], g: Array) -> tuple[Array, Any]:
    x, y = saved
    dx = _matmul(g, y, not transposed)
    if x is None:  # the weights' gradient is not needed
        return dx, None
    dy = x.reshape(-1, x.shape[-1]).T @ g.reshape(-1, g.shape[-1])
    return dx, (dy.T if transposed else dy).astype(y.dtype)


_matmul.defvjp(_forward, _backward, symbolic_zeros=True)
