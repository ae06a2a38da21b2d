"""ATen's operators on single elements, in JAX. Arguments are the schema's, in its order."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


def unary(function: Callable[[Array], Array]) -> Callable[..., Array]:
    """Return an operator that ignores all arguments but the first."""
    return lambda x, *_: function(x)


def binary(function: Callable[[Any, Any], Array]) -> Callable[..., Array]:
    """Return an operator that ignores all arguments but the first two."""
    return lambda x, y, *_: function(x, y)


def _add(x: Any, y: Any, alpha: float = 1) -> Array:
    return x + (y if alpha == 1 else alpha * y)  # type: ignore[no-any-return]


def _subtract(x: Any, y: Any, alpha: float = 1) -> Array:
    return x - (y if alpha == 1 else alpha * y)  # type: ignore[no-any-return]


def _divide(x: Any, y: Any, rounding_mode: str | None = None) -> Array:
    quotient = x / y
    rounding = {None: lambda q: q, "floor": jnp.floor, "trunc": jnp.trunc}
    return rounding[rounding_mode](quotient)  # type: ignore[no-any-return]


def _power(x: Any, y: Any) -> Array:
    """Raise to a power; integer exponents are products, whose gradient is finite at 0."""
    if isinstance(y, (int, float)) and float(y).is_integer():
        return lax.integer_pow(x, int(y))
    return jnp.power(x, y)


def _clamp(x: Array, low: Any = None, high: Any = None) -> Array:
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


def _cast(x: Array, dtype: str | None = None, *_: Any) -> Array:
    """Cast to a type, except that no float loses digits.

    In bfloat16 a cast to float32 is the module's own wish for more digits. In float32 (and in
    float64, in tests) the same cast is nothing. Products return to the type of the weights.
    """
    if dtype is None:
        return x
    kind = jnp.dtype(dtype)
    if jnp.issubdtype(kind, jnp.floating) and jnp.issubdtype(x.dtype, jnp.floating):
        return x.astype(jnp.promote_types(x.dtype, kind))
    return x.astype(jax.dtypes.canonicalize_dtype(kind))


def _type_as(x: Array, other: Array) -> Array:
    return x.astype(other.dtype)


def _where(condition: Array, x: Any, y: Any) -> Array:
    return jnp.where(condition, x, y)


def _addcmul(x: Array, a: Array, b: Array, value: float = 1) -> Array:
    return x + value * a * b


def _addcdiv(x: Array, a: Array, b: Array, value: float = 1) -> Array:
    return x + value * a / b


def _lerp(x: Array, y: Array, weight: Any) -> Array:
    return x + weight * (y - x)  # type: ignore[no-any-return]


UNARY: Mapping[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "square": jnp.square,
    "neg": jnp.negative,
    "abs": jnp.abs,
    "erf": lax.erf,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "round": jnp.round,
    "trunc": jnp.trunc,
    "sign": jnp.sign,
    "reciprocal": jnp.reciprocal,
    "logical_not": jnp.logical_not,
    "bitwise_not": jnp.bitwise_not,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
}
BINARY: Mapping[str, Callable[[Any, Any], Array]] = {
    "eq": jnp.equal,
    "ne": jnp.not_equal,
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "bitwise_and": jnp.bitwise_and,
    "bitwise_or": jnp.bitwise_or,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "atan2": jnp.arctan2,
    "fmod": jnp.fmod,
    "remainder": jnp.remainder,
    "floor_divide": jnp.floor_divide,
    "mul": lambda x, y: x * y,
}
_NOTHING = ("clone", "alias", "contiguous", "detach", "lift_fresh_copy", "dropout")

OPERATORS: Mapping[str, Callable[..., Any]] = {
    **{f"{name}.default": unary(function) for name, function in UNARY.items()},
    **{
        f"{name}.{kind}": binary(function)
        for name, function in BINARY.items()
        for kind in ("Tensor", "Scalar", "default")
    },
    **{f"{name}.default": unary(lambda x: x) for name in _NOTHING},
    "feature_dropout.default": unary(lambda x: x),
    "max.other": binary(jnp.maximum),
    "min.other": binary(jnp.minimum),
    "clamp.default": _clamp,
    "clamp.Tensor": _clamp,
    "clamp_min.default": _clamp,
    "clamp_min.Tensor": _clamp,
    "clamp_max.default": lambda x, high: _clamp(x, None, high),
    "clamp_max.Tensor": lambda x, high: _clamp(x, None, high),
    "add.Tensor": _add,
    "add.Scalar": _add,
    "sub.Tensor": _subtract,
    "sub.Scalar": _subtract,
    "rsub.Tensor": lambda x, y, alpha=1: _subtract(y, x, alpha),
    "rsub.Scalar": lambda x, y, alpha=1: _subtract(y, x, alpha),
    "div.Tensor": _divide,
    "div.Scalar": _divide,
    "div.Tensor_mode": _divide,
    "div.Scalar_mode": _divide,
    "pow.Tensor_Scalar": _power,
    "pow.Tensor_Tensor": _power,
    "pow.Scalar": _power,
    "where.self": _where,
    "where.ScalarOther": _where,
    "where.ScalarSelf": _where,
    "where.Scalar": _where,
    "masked_fill.Scalar": lambda x, mask, value: jnp.where(mask, value, x).astype(x.dtype),
    "masked_fill.Tensor": lambda x, mask, value: jnp.where(mask, value, x).astype(x.dtype),
    "type_as.default": _type_as,
    "_to_copy.default": _cast,
    "to.dtype": _cast,
    "to.dtype_layout": _cast,
    "to.device": lambda x, dtype, *_: _cast(x, dtype),
    "addcmul.default": _addcmul,
    "addcdiv.default": _addcdiv,
    "lerp.Scalar": _lerp,
    "lerp.Tensor": _lerp,
}
