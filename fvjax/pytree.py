"""Dataclasses that are pytrees: a field is a leaf, or static where it says so."""

import inspect
from typing import Any, TypeVar, dataclass_transform

from flax import struct

T = TypeVar("T")


def static(**options: Any) -> Any:
    """A field that decides the compiled program: part of the structure, hashable, no leaf."""
    return struct.field(pytree_node=False, **options)


@dataclass_transform(
    eq_default=False, kw_only_default=True, frozen_default=True, field_specifiers=(static,)
)
def dataclass(made: type[T]) -> type[T]:
    """`flax.struct.dataclass` with keywords only, whose class is a part of its structure.

    In jax 0.10 two dataclasses of equal fields have equal structures whatever their classes
    (`jax.tree.structure(Cosine()) == jax.tree.structure(Inversion())`), so that `jit` now and then
    took the program of one for the other: a static field with the class's name tells them apart.
    """
    fields = {**inspect.get_annotations(made), "class_": str}
    made.__annotations__ = fields
    name = f"{made.__module__}.{made.__qualname__}"
    made.class_ = static(default=name, repr=False)  # type: ignore[attr-defined]
    # No equality by value: that of arrays is an array, and `lax.switch` hashes its branches.
    decorated: type[T] = struct.dataclass(made, kw_only=True, eq=False)
    return decorated
