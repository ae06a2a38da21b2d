"""Operations of layers as primitives of JAX, made of other operations only when they are lowered.

What an operation is made of then depends on the platform that it is lowered for and on the whole
batch under vmap, and is traced once, when all transformations are done.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jaxtyping import Array

Lists = Callable[..., Sequence[Any]]


def primitive(
    name: str, shapes: Lists, default: Lists, batched: Lists | None = None, **platforms: Lists
) -> Lists:
    """An operation on arrays, with static options as keywords, that returns a list of arrays.

    It has no gradient: that is for a `custom_vjp` around it.

    Args:
        name: of the primitive.
        shapes: of what it returns, and their types, as pairs; of the same rank as the first array.
        default: what it does.
        batched: what it does under vmap, given the arrays and their batched axes; all of it along
            axis 0. If None, its arrays may have any number of leading axes, of which the batched
            one becomes the first.
        platforms: a platform's own way.
    """
    made = Primitive(name)
    made.multiple_results = True

    def bind(*arrays: Any, **static: Any) -> list[Array]:
        """Precision is a setting of the time of tracing, and of that of lowering another."""
        precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        return made.bind(*arrays, precision=precision, **static)  # type: ignore[no-any-return]

    def outputs(*given: Any, precision: Any, **static: Any) -> list[Any]:
        found = shapes(*given, **static)
        return [given[0].update(shape=s, dtype=t, weak_type=False) for s, t in found]

    def batch(arrays: Any, axes: Any, *, precision: Any, **static: Any) -> Any:
        with jax.default_matmul_precision(precision):
            ys = (batched or partial(_leading, bind))(arrays, axes, **static)
        return ys, [0] * len(ys)

    def lowered(function: Lists) -> Any:
        def precise(*arrays: Array, precision: Any, **static: Any) -> Sequence[Any]:
            with jax.default_matmul_precision(precision):
                return function(*arrays, **static)

        return mlir.lower_fun(precise)

    made.def_impl(lambda *arrays, **static: jax.jit(partial(made.bind, **static))(*arrays))
    made.def_abstract_eval(outputs)
    batching.primitive_batchers[made] = batch
    mlir.register_lowering(made, lowered(default))
    for platform, function in platforms.items():
        mlir.register_lowering(made, lowered(function), platform=platform)
    return bind


def _leading(
    bind: Lists, arrays: Sequence[Array], axes: Sequence[int | None], **static: Any
) -> Sequence[Any]:
    """With the batched axis in front of each array."""
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    moved = (
        jnp.broadcast_to(x, (size, *jnp.shape(x))) if a is None else jnp.moveaxis(x, a, 0)
        for x, a in zip(arrays, axes, strict=True)
    )
    return bind(*moved, **static)
