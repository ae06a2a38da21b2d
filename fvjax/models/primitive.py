"""Operations of layers as primitives of JAX, made of other operations only when they are lowered.

What an operation is made of then depends on the platform that it is lowered for and on the whole
batch under vmap, and is traced once, when all transformations are done: tracing GoogLeNet's loop
takes half as long.
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
    made.def_impl(lambda *arrays, **static: jax.jit(partial(made.bind, **static))(*arrays))

    def outputs(*given: Any, **static: Any) -> list[Any]:
        found = shapes(*given, **static)
        return [given[0].update(shape=s, dtype=t, weak_type=False) for s, t in found]

    def batch(arrays: Sequence[Array], axes: Sequence[int | None], **static: Any) -> Any:
        ys = (batched or partial(_leading, made.bind))(arrays, axes, **static)
        return ys, [0] * len(ys)

    made.def_abstract_eval(outputs)
    batching.primitive_batchers[made] = batch
    mlir.register_lowering(made, mlir.lower_fun(default))
    for platform, function in platforms.items():
        mlir.register_lowering(made, mlir.lower_fun(function), platform=platform)
    bind: Lists = made.bind
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
