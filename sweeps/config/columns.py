"""A config as columns of the table, and a hash by which equal configs are known."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fvjax.data.image_sets import GENERATED
from sweeps.results.table import COLUMNS
from sweeps.storage.content_hash import content

_PATHS = ("path", "weights", "matrix", "start", "images")  # keys that name files and folders
_OURS = ("fvjax.", "sweeps.")  # targets of which these are all


def identity(config: Any) -> str:
    """A hash by which equal jobs are known: 2 is 2.0, files and folders are what they hold.

    A file is one that a key of ours for paths names, or any text given to a target that is not
    ours: a folder `dot` beside a sweep is none of `objective=dot`.
    """

    def canonical(value: Any, path: bool = False) -> Any:
        match value:
            case dict():
                path |= not str(value.get("_target_", _OURS[0])).startswith(_OURS)
                return {k: canonical(item, path or k in _PATHS) for k, item in value.items()}
            case list():
                return [canonical(item, path) for item in value]
            case str() if (
                path and value not in ("", GENERATED) and (found := content(value)) is not None
            ):
                return [value, found]
            case int() | float() if not isinstance(value, bool):
                return float(value)
        return value

    return hashlib.sha256(json.dumps(canonical(config), sort_keys=True).encode()).hexdigest()[:16]


def choices_of(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The chosen option of each config group that the config holds."""
    return {group: choices.get(group) for group, node in cfg.items() if isinstance(node, dict)}


def columns(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The config as columns: a group's holds its option, its keys are <group>_<key>.

    Raises:
        ValueError: a key of the user's whose column is taken.
    """
    cells: list[tuple[str, str, Any]] = []  # column, key, value
    for key, value in cfg.items():
        if not isinstance(value, dict):
            cells.append((key, key, _cell(value)))
            continue
        cells.append((key, key, choices.get(key)))
        inner = {k: v for k, v in value.items() if k != "_target_"}
        if choices.get(key) == "custom":  # what it is, its target alone says
            inner["target"] = value["_target_"]
        cells += [(f"{key}_{k}", f"{key}.{k}", _cell(v)) for k, v in inner.items()]
    row: dict[str, Any] = {}
    for column, key, value in cells:
        if column in row or column in COLUMNS or column == "sweep":
            raise ValueError(f"the table has a column {column!r} already: call {key} otherwise")
        row[column] = value
    return row


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
