"""The columns of the table that hold a job's config."""

import json
from collections.abc import Mapping
from typing import Any

from sweeps.config.several import holds_several
from sweeps.results.table import COLUMNS

_TAKEN = {*COLUMNS, "sweep", "history"}


def choices_of(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen option of each config group that the config holds."""
    return {group: choices.get(group) for group, node in cfg.items() if isinstance(node, dict)}


def columns(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as columns: a group's option under its name, its keys as <group>_<key>.

    Keys of one of several options are <group>_<option>_<key>.

    Raises:
        ValueError: a key of the user has the name of another column.
    """
    row: dict[str, Any] = {}
    for column, key, value in cells_of(cfg, choices):
        if column in row or column in _TAKEN:
            raise ValueError(f"the table has a column {column!r} already: call {key} otherwise")
        row[column] = value
    return row


def cells_of(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return the column, the config's key and the value of each cell."""
    cells: list[tuple[str, str, Any]] = []
    for key, value in cfg.items():
        if key == "image_size":
            height, width = value if isinstance(value, list) else (value, value)
            cells += [("image_height", key, height), ("image_width", key, width)]
            continue
        if not isinstance(value, dict):
            cells.append((key, key, _cell(value)))
            continue
        cells.append((key, key, choices.get(key)))
        if holds_several(value):
            for option, node in value.items():
                cells += [
                    (f"{key}_{option}_{k}", f"{key}.{option}.{k}", _cell(v))
                    for k, v in node.items()
                    if k != "_target_"
                ]
            continue
        inner = {k: v for k, v in value.items() if k != "_target_"}
        cells += [(f"{key}_{k}", f"{key}.{k}", _cell(v)) for k, v in inner.items()]
        if choices.get(key) == "custom":  # what it is, its target alone says
            cells.append((f"{key}_target", f"{key}._target_", value["_target_"]))
    return cells


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
