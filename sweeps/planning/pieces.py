"""The pieces that a config names by `_target_`: classes, functions, and the user's own."""

import inspect
from collections.abc import Mapping
from typing import Any

from hydra.utils import get_object, instantiate

from fvjax.objectives.objective import Objective, as_objective
from fvjax.registration import as_pytree
from fvjax.sources import DirectionInfo, DirectionSource, Setup


def make(node: Mapping[str, Any], **arguments: Any) -> Any:
    """Return what a config node's `_target_` makes of the other keys.

    A function that needs more arguments than the keys give is the piece itself: an objective
    `f(activations, direction, sharpness)` whose option gives `sharpness`.
    """
    config = dict(node)
    target = config.get("_target_")
    if (
        isinstance(target, str)
        and "_partial_" not in config
        and _is_piece(target, config, arguments)
    ):
        config["_partial_"] = True
    return instantiate({"_convert_": "all", **config}, **arguments)


def objective_of(made: Any, node: Mapping[str, Any], key: str) -> Objective:
    """Return what a config node made as an objective; `key` names it in errors."""
    if not _takes(made, 2):
        raise ValueError(
            f"{key}._target_={node['_target_']} must be an objective: a function f(activations, "
            f"direction), or a class whose instances take these; got {made!r}"
        )
    return as_objective(made)


def make_transform(node: Mapping[str, Any]) -> Any:
    """Return the transform of a config node."""
    made = make(node)
    if not _takes(made, 2):
        raise ValueError(
            f"transform._target_={node['_target_']} must be a transform: a function f(key, image), "
            f"or a class whose instances take these; got {made!r}"
        )
    return as_pytree(made)


def resolve_direction(node: Mapping[str, Any], setup: Setup) -> DirectionInfo:
    """Return the direction that the source of a config node finds."""
    source = make(node)
    if isinstance(source, DirectionSource):
        info = source.resolve(setup)
    elif _takes(source, 1):
        info = source(setup)
    else:
        info = source
    if not isinstance(info, DirectionInfo):
        raise ValueError(
            f"direction._target_={node['_target_']} must be a source of directions: a function "
            "f(setup), or a class with resolve(setup), that returns a fvjax.sources.DirectionInfo; "
            f"got {info!r}"
        )
    return info


def _takes(made: Any, arguments: int) -> bool:
    """Return whether something can be called with this number of arguments."""
    if not callable(made) or isinstance(made, type):
        return False
    try:
        inspect.signature(made).bind(*[None] * arguments)
    except TypeError:
        return False
    return True


def _is_piece(target: str, node: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Return whether a target is a function that the given keys do not suffice to call."""
    found = get_object(target)
    if not inspect.isfunction(found):
        return False
    needed = [
        name
        for name, parameter in inspect.signature(found).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return any(name not in node and name not in arguments for name in needed)
