"""Dataclasses that are pytrees; a field is a leaf unless it is declared static."""

import inspect
from typing import Any, TypeVar, dataclass_transform

from flax import struct

T = TypeVar("T")


def static(**options: Any) -> Any:
    """Declare a field that is part of the tree structure: hashable, not a leaf."""
    return struct.field(pytree_node=False, **options)


@dataclass_transform(
    eq_default=False, kw_only_default=True, frozen_default=True, field_specifiers=(static,)
)
def dataclass(made: type[T]) -> type[T]:
    """Make a keyword-only `flax.struct.dataclass` whose class is part of its structure.

    In jax 0.10 two dataclasses of equal fields have equal structures whatever their classes
    (`jax.tree.structure(Cosine()) == jax.tree.structure(Inversion())`), so that `jit`
    sometimes ran the program of the other class. A static field with the class's name prevents it.
    """
    fields = {**inspect.get_annotations(made), "class_": str}
    made.__annotations__ = fields
    name = f"{made.__module__}.{made.__qualname__}"
    made.class_ = static(default=name, repr=False)  # type: ignore[attr-defined]
    # No equality by value: equality of arrays is an array, and `lax.switch` hashes its branches.
    decorated: type[T] = struct.dataclass(made, kw_only=True, eq=False)
    return decorated
