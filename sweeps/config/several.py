"""Several options of one group in a job: `penalty=[orthogonal,total_variation]`.

Hydra merges the options of a list into one node, where equal keys collide. So the list becomes one
node for each option, `penalty.orthogonal` and `penalty.total_variation`, in Hydra's own syntax.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

GROUP = "penalty"
JOINED = "+"  # between the options in tables: `orthogonal+total_variation`
_LIST = re.compile(rf"{GROUP}=\[([^\[\]]*)\]")
_PLACE = f"{GROUP}@{GROUP}."  # Hydra's key of an option in a node of its own


def split_options(overrides: Sequence[str]) -> list[str]:
    """Return overrides with a node for each option of a list; a list of one is that option.

    Options are ordered by name, so that the order of a list has no effect.

    Raises:
        ValueError: an option stands twice in a list, or beside `none`.
    """
    return [line for override in overrides for line in _split(override)]


def _split(override: str) -> list[str]:
    listed = _LIST.fullmatch(override)
    if listed is None:
        return [override]
    names = sorted(name.strip() for name in listed[1].split(",") if name.strip())
    if len(set(names)) < len(names) or ("none" in names and len(names) > 1):
        raise ValueError(f"{override} must name different penalties, and none only alone")
    if len(names) < 2:
        return [f"{GROUP}={names[0] if names else 'none'}"]
    return [f"{GROUP}=none", *(f"+{_PLACE}{name}={name}" for name in names)]


def is_option_of_several(key: str) -> bool:
    """Return whether an override's key places one of several options in a node of its own."""
    return key.startswith(_PLACE)


def join_choices(choices: Mapping[Any, Any]) -> dict[str, Any]:
    """Return Hydra's choices with several options of the group as one: `a+b`."""
    plain = {str(k): v for k, v in choices.items() if not is_option_of_several(str(k))}
    several = sorted(str(v) for k, v in choices.items() if is_option_of_several(str(k)))
    return plain | ({GROUP: JOINED.join(several)} if several else {})


def nodes_of(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the node of each option, by its key: `penalty`, or `penalty.orthogonal` and others.

    No node for `penalty=none`.
    """
    if not node:
        return {}
    if holds_several(node):
        return {f"{GROUP}.{name}": dict(inner) for name, inner in sorted(node.items())}
    return {GROUP: dict(node)}


def holds_several(node: Any) -> bool:
    """Return whether a config node holds the nodes of several options."""
    return (
        isinstance(node, Mapping)
        and len(node) > 1
        and all(isinstance(inner, Mapping) and "_target_" in inner for inner in node.values())
    )
