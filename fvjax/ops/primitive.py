"""Operations as JAX primitives, whose implementation is chosen at lowering time.

The implementation is chosen for one platform and for the full vmapped batch, and traced once.
Primitives are registered by hand, because the public way, `custom_vmap` with
`lax.platform_dependent`, takes twice as long to trace in a second start (commit f86c1ee).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jaxtyping import Array, Shaped

Lists = Callable[..., Sequence[Any]]


def primitive(
    name: str, shapes: Lists, default: Lists, batched: Lists | None = None, **platforms: Lists
) -> Lists:
    """Return an operation from arrays to a list of arrays, with static options as keywords.

    The operation has no gradient; a `custom_vjp` around it supplies one.

    Args:
        name: name of the primitive.
        shapes: returns (shape, type) of each output, of the rank of the first input.
        default: the implementation.
        batched: the implementation under vmap, given arrays and batched axes; outputs are batched
            along axis 0. If None, arrays may have leading axes, and the batched axis is moved to
            the front.
        platforms: implementations for single platforms, by name.
    """
    new_primitive = Primitive(name)
    new_primitive.multiple_results = True

    def bind(*arrays: Any, **static: Any) -> list[Array]:
        """Bind with the matmul precision at trace time: the context has ended at lowering."""
        precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        return new_primitive.bind(*arrays, precision=precision, **static)  # type: ignore[no-any-return]

    def outputs(*inputs: Any, precision: Any, **static: Any) -> list[Any]:
        pairs = shapes(*inputs, **static)
        return [inputs[0].update(shape=s, dtype=t, weak_type=False) for s, t in pairs]

    def batch(arrays: Any, axes: Any, *, precision: Any, **static: Any) -> Any:
        with jax.default_matmul_precision(precision):
            ys = (batched or partial(_leading, bind))(arrays, axes, **static)
        return ys, [0] * len(ys)

    def lowered(function: Lists) -> Any:
        def precise(*arrays: Array, precision: Any, **static: Any) -> Sequence[Any]:
            with jax.default_matmul_precision(precision):
                return function(*arrays, **static)

        return mlir.lower_fun(precise)

    new_primitive.def_impl(
        lambda *arrays, **static: jax.jit(partial(new_primitive.bind, **static))(*arrays)
    )
    new_primitive.def_abstract_eval(outputs)
    batching.primitive_batchers[new_primitive] = batch
    mlir.register_lowering(new_primitive, lowered(default))
    for platform, function in platforms.items():
        mlir.register_lowering(new_primitive, lowered(function), platform=platform)
    return bind


def _leading(
    bind: Lists, arrays: Sequence[Any], axes: Sequence[int | None], **static: Any
) -> Sequence[Any]:
    """Bind with the batched axis in front of each array."""
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    moved = (
        jnp.broadcast_to(x, (size, *jnp.shape(x))) if a is None else jnp.moveaxis(x, a, 0)
        for x, a in zip(arrays, axes, strict=True)
    )
    return bind(*moved, **static)


_stored = primitive(
    "stored",
    lambda x: [(x.shape, x.dtype)],
    lambda x: [lax.optimization_barrier(x)],
    cpu=lambda x: [x],
)


def stored(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """Return `x`, which an accelerator stores before it goes on.

    On a GPU, XLA otherwise computes `x` again for each of the shifted copies that read it:
    GoogLeNet's pools took half of a step (docs/development/performance.md). A CPU is not told.
    """
    y: Array = _stored(x)[0]
    return y
