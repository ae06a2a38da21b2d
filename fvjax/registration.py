"""Functions and plain classes of users as pytrees, so that a job can hold them."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from fvjax.pytree import dataclass, static

_OF_JAX = type | np.ndarray | np.generic | jax.Array | str | bytes | bool | int | float | complex


@dataclass
class Function:
    """A function with keyword arguments: numbers and arrays are leaves, all others are static."""

    leaves: dict[str, Any]
    function: Callable[..., Any] = static()
    constants: tuple[tuple[str, Any], ...] = static(default=())

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self.function(*arguments, **dict(self.constants), **self.leaves)


def as_pytree(value: Any) -> Any:
    """Return a value that a job can hold: a pytree stays, a function or an instance becomes one.

    A class is registered when its first instance is seen. Attributes that are text, true or false,
    functions, or tuples of these or of integers are static. All other attributes are leaves:
    numbers and arrays, which may vary inside one program.

    Raises:
        ValueError: an attribute is neither hashable nor a number, an array or a pytree.
    """
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        partial = value if isinstance(value, functools.partial) else functools.partial(value)
        names = {name for name, item in partial.keywords.items() if _is_static(item)}
        function = functools.partial(partial.func, *partial.args) if partial.args else partial.func
        leaves = {name: v for name, v in partial.keywords.items() if name not in names}
        constants = tuple(
            (name, _hashable(v)) for name, v in partial.keywords.items() if name in names
        )
        return Function(leaves=leaves, function=function, constants=constants)
    if is_unregistered(value):
        fields = _attributes(value)
        for name, item in fields.items():
            if isinstance(item, set | dict) or is_unregistered(item):
                raise ValueError(
                    f"{name} of {type(value).__name__} must be a number, an array, text or a "
                    f"function, got a {type(item).__name__}"
                )
        _register(type(value), frozenset(name for name, item in fields.items() if _is_static(item)))
    return value


def is_unregistered(value: Any) -> bool:
    """Return whether a value is an instance of a class that JAX takes for a single leaf."""
    if isinstance(value, _OF_JAX) or value is None or inspect.isroutine(value):
        return False
    has_fields = dataclasses.is_dataclass(value) or hasattr(value, "__dict__")
    leaves = jax.tree.leaves(value)
    return has_fields and len(leaves) == 1 and leaves[0] is value


_registered: set[type] = set()


def _register(kind: type, constant: frozenset[str]) -> None:
    """Register a class as a pytree, with the names of its static attributes."""
    if kind in _registered:
        return
    _registered.add(kind)

    def flatten(instance: Any) -> tuple[tuple[Any, ...], Any]:
        fields = _attributes(instance)
        leaves = tuple(name for name in fields if name not in constant)
        fixed = tuple((name, _hashable(v)) for name, v in fields.items() if name in constant)
        return tuple(fields[name] for name in leaves), (kind.__qualname__, leaves, fixed)

    def unflatten(structure: Any, leaves: Sequence[Any]) -> Any:
        instance: Any = object.__new__(kind)
        _, names, fixed = structure
        for name, value in (*zip(names, leaves, strict=True), *fixed):
            object.__setattr__(instance, name, value)
        return instance

    jax.tree_util.register_pytree_node(kind, flatten, unflatten)


def _attributes(instance: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(instance):
        return {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}
    return dict(vars(instance))


def _is_static(value: Any) -> bool:
    if isinstance(value, bool | str | bytes | type) or inspect.isroutine(value):
        return True
    if isinstance(value, tuple | list):
        return all(_is_static(x) or isinstance(x, int | np.integer) for x in value)
    return False


def _hashable(value: Any) -> Any:
    return tuple(_hashable(x) for x in value) if isinstance(value, tuple | list) else value
