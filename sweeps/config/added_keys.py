"""Keys that `+key=value` adds: refused where they are slips of a known key."""

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.utils import get_object

log = logging.getLogger(__name__)

# Keys that planning reads itself, so that an option of a user may leave them out.
_READ_BEFORE = {
    "model": ("default_layer", "image_size", "reference_images", "judge"),
    "objective": ("sign",),
    "penalty": ("weight", "unit", "shrinkage"),
    "parameterization": ("colors", "mean", "contrast", "learning_rate"),
    "optimizer": ("name",),
}
_MOST = 2  # letters by which a slip differs


def check_added_keys(overrides: Sequence[str], cfg: Mapping[str, Any]) -> None:
    """Refuse added keys that nothing reads; one that is no slip becomes a column, with a note.

    Args:
        overrides: the command line's overrides.
        cfg: the resolved config, with the added keys.

    Raises:
        ValueError: an added key is within two letters of a known key, or its group's target does
            not take it.
    """
    added = [text.lstrip("+").partition("=")[0] for text in overrides if text.startswith("+")]
    known = {key for key in cfg if key not in added}
    for key in added:
        group, _, name = key.partition(".")
        node = cfg.get(group)
        if not name and not isinstance(node, dict):
            close = [other for other in known if _is_slip(key, other)]
            if close:
                raise ValueError(f"no key {key}: did you mean {sorted(close)[0]}?")
            _note(f"+{key}: no key of fvjax; it becomes a column of the table and changes nothing")
        elif isinstance(node, dict) and "_target_" in node and "." not in name:
            _require_argument(group, name, node)


def _require_argument(group: str, name: str, node: Mapping[str, Any]) -> None:
    """Refuse a key that the target of its group does not take."""
    parameters = inspect.signature(get_object(str(node["_target_"]))).parameters
    taken = {*parameters, *_READ_BEFORE.get(group, ())}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) or name in taken:
        return
    names = sorted({*parameters, *node} - {name, "_target_", "args", "kwargs", "class_"})
    listed = ", ".join(names) or "no keys"
    raise ValueError(f"+{group}.{name}: {node['_target_']} takes no {name}; it takes {listed}")


def _is_slip(given: str, known: str) -> bool:
    """Return whether two names differ by at most two letters, and by less than half of the name."""
    distance = _distance(given, known)
    return 0 < distance <= _MOST and 2 * distance < len(known)


def _distance(one: str, other: str) -> int:
    """Return the number of letters to insert, delete or replace (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


_noted: set[str] = set()


def _note(text: str) -> None:
    """Log a note once in a process, whatever the number of jobs."""
    if text not in _noted:
        _noted.add(text)
        log.warning(text)
