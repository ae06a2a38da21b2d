"""The checker of every call of fvjax during tests: types by beartype, shapes by jaxtyping."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from beartype import BeartypeConf, beartype

# PEP 484: an int will do where a float is declared.
_typed = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its arguments and its result checked against its annotations."""
    checked: Callable[..., Any] = _typed(function)
    if function.__name__ != "__init__":
        return checked

    @functools.wraps(function)
    def init(made: Any, /, *arguments: Any, **fields: Any) -> Any:
        """Check the fields of a pytree, unless jax rebuilds it with leaves that hold no number."""
        if hasattr(made, "class_"):  # declared by fvjax.pytree
            if any(map(_is_placeholder, jax.tree.leaves(fields))):
                return None
            fields = jax.tree.map(_as_jax, fields)
        return checked(made, *arguments, **fields)

    return init


def _is_placeholder(leaf: Any) -> bool:
    """Return whether a leaf describes an array or holds its place: `vmap` and `lower` make such."""
    described = isinstance(leaf, jax.ShapeDtypeStruct | jax.stages.ArgInfo)
    return described or type(leaf) is object


def _as_jax(leaf: Any) -> Any:
    """Return a NumPy value as the array that jax makes of it: stacked jobs stay on the host."""
    return jnp.asarray(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf
