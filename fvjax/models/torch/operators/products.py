"""ATen's matrix products and attention, in JAX.

Products are computed in the narrowest type of their factors. Where a module has upcast one factor,
the product returns to the type of activations.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.models.torch.operators.reductions import safe_softmax
from fvjax.ops import products
from fvjax.ops.platform import activation_type, traced_for_cpu


def narrowed(*arrays: Array) -> list[Array]:
    """Return the arrays in the floating-point type of the fewest bits among them."""
    kind = min((x.dtype for x in arrays), key=lambda dtype: dtype.itemsize)
    return [x.astype(kind) for x in arrays]


def matmul(x: Array, y: Array) -> Array:
    """Return the product of matrices over the last two axes."""
    x, y = narrowed(x, y)
    kind = activation_type(x.dtype)
    if kind == x.dtype:
        return x @ y
    return jnp.matmul(x, y, preferred_element_type=kind)


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return `x @ weight + bias`, with the weight transposed to (inputs, outputs)."""
    kind = activation_type(weight.dtype)
    y = products.matmul(x.astype(kind), weight)
    return y if bias is None else y + bias


def _addmm(bias: Array, x: Array, y: Array, beta: float = 1, alpha: float = 1) -> Array:
    product = matmul(x, y) if y.ndim > 2 else linear(x, y)
    product = product if alpha == 1 else alpha * product
    return product + (bias if beta == 1 else beta * bias)


def _bilinear(x: Array, y: Array, weight: Array, bias: Array | None = None) -> Array:
    z = jnp.einsum("...i,oij,...j->...o", x, weight, y)
    return z if bias is None else z + bias


def _attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    scale: float | None = None,
    grouped: bool = False,
) -> Array:
    """Return softmax(query key^T * scale + mask) value; `grouped`: query heads share keys."""
    query, key, value = narrowed(query, key, value)
    if grouped:
        shared = query.shape[-3] // key.shape[-3]
        key, value = jnp.repeat(key, shared, -3), jnp.repeat(value, shared, -3)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if mask is None and _has_fused_attention(query, key, value):
        return fused_attention(query, key, value, causal, scale, "cudnn")
    scores = jnp.einsum("...qd,...kd->...qk", query * scale, key)
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, -jnp.inf)
    if mask is None:
        return jax.nn.softmax(scores, -1) @ value
    added = mask.dtype != jnp.bool_
    scores = scores + mask.astype(scores.dtype) if added else jnp.where(mask, scores, -jnp.inf)
    return safe_softmax(scores, -1) @ value


def _has_fused_attention(query: Array, key: Array, value: Array) -> bool:
    """Return whether cuDNN's attention takes these arrays, by its documented limits."""
    if traced_for_cpu():
        return False
    chosen: Any = jax.config.jax_default_device  # type: ignore[attr-defined]
    device = chosen if isinstance(chosen, jax.Device) else jax.devices(chosen)[0]
    if not device.device_kind.startswith("NVIDIA") or float(device.compute_capability) < 8:
        return False
    width, half = query.shape[-1], query.dtype in (jnp.bfloat16, jnp.float16)
    return half and width % 8 == 0 and width <= 128 and query.shape == key.shape == value.shape


def fused_attention(
    query: Float[Array, "*batch heads tokens width"],
    key: Float[Array, "*batch heads tokens width"],
    value: Float[Array, "*batch heads tokens width"],
    causal: bool,
    scale: float,
    implementation: Literal["cudnn", "xla"],
) -> Float[Array, "*batch heads tokens width"]:
    """Return attention by one kernel, which does not store the scores.

    The gradient of cuDNN's kernel takes even numbers of tokens, so an odd number is padded with a
    token that no other token sees.
    """
    *batch, heads, tokens, width = query.shape
    padding = ((0, 0), (0, tokens % 2), (0, 0), (0, 0))

    def arranged(x: Array) -> Array:
        return jnp.pad(x.reshape(-1, heads, tokens, width).swapaxes(1, 2), padding)

    query, key, value = arranged(query), arranged(key), arranged(value)
    y = jax.nn.dot_product_attention(
        query,
        key,
        value,
        scale=scale,
        is_causal=causal,
        key_value_seq_lengths=jnp.full(len(key), tokens, jnp.int32) if tokens % 2 else None,
        implementation=implementation,
    )
    return y[:, :tokens].swapaxes(1, 2).reshape(*batch, heads, tokens, width)


def _einsum(equation: str, arrays: Sequence[Array], *_: Any) -> Array:
    factors = narrowed(*arrays)
    kind = activation_type(factors[0].dtype)
    return jnp.einsum(equation, *factors, preferred_element_type=kind)


def _outer(x: Array, y: Array) -> Array:
    return x[:, None] * y[None, :]


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "fvjax.linear": linear,
    "linear.default": lambda x, weight, bias=None: linear(x, weight.T, bias),
    "matmul.default": matmul,
    "mm.default": matmul,
    "bmm.default": matmul,
    "mv.default": matmul,
    "dot.default": matmul,
    "addmm.default": _addmm,
    "baddbmm.default": _addmm,
    "bilinear.default": _bilinear,
    "einsum.default": _einsum,
    "outer.default": _outer,
    "scaled_dot_product_attention.default": _attention,
}
