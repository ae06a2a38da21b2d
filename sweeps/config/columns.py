"""The columns of the table that hold a job's config."""

import json
from collections.abc import Mapping
from typing import Any

from sweeps.results.table import COLUMNS

_TAKEN = {*COLUMNS, "sweep", "history"}


def choices_of(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen option of each config group that the config holds."""
    return {group: choices.get(group) for group, node in cfg.items() if isinstance(node, dict)}


def columns(cfg: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as columns: a group's option under its name, its keys as <group>_<key>.

    Raises:
        ValueError: a key of the user has the name of another column.
    """
    cells: list[tuple[str, str, Any]] = []  # column, key, value
    for key, value in cfg.items():
        if key == "image_size":
            height, width = value if isinstance(value, list) else (value, value)
            cells += [("image_height", key, height), ("image_width", key, width)]
            continue
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
        if column in row or column in _TAKEN:
            raise ValueError(f"the table has a column {column!r} already: call {key} otherwise")
        row[column] = value
    return row


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
