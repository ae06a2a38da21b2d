"""Unions of grids, which Hydra's single product of choices cannot express."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override


def expand(
    grids: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    arguments: Sequence[str],
    loader: ConfigLoader | None = None,
    cross_with: Sequence[Mapping[str, Any]] = (),
) -> list[list[str]]:
    """Return the overrides of each job of a union of grids, in order and without duplicates.

    A grid maps override keys to a value, a list of values, or text in Hydra's grammar (`1,2`,
    `range(0,8)`). The jobs of a grid are the product of its values. `params` holds for every grid
    that does not name the key itself. A command-line key overrides the same key in every grid, and
    multiplies the grids that lack it. If it selects another option of a group (`objective=dot`),
    the grid's keys of that group (`objective.exponent`) are dropped. Without grids, `params` and
    the arguments form the only grid, as for Hydra's own sweeper.

    Args:
        grids: the grids of the union.
        params: choices that hold for all grids.
        arguments: the overrides of the command line.
        loader: Hydra's config loader, which lists the options of a group for `glob(...)`.
        cross_with: a second union of grids, with which the first is crossed.

    Raises:
        ValueError: a key has no values, or an interval in place of separate values.
    """
    parser = OverridesParser.create(config_loader=loader)
    overrides = parser.parse_overrides(list(arguments))
    command_line = {_key(override): _list_values(override) for override in overrides}
    common = _choices(params, parser)
    jobs: dict[tuple[str, ...], list[str]] = {}
    for cross, grid in itertools.product(cross_with or [{}], grids or [{}]):
        grid_choices = common | _choices(cross, parser) | _choices(grid, parser)
        replaced = [
            key
            for key in grid_choices.keys() & command_line.keys()
            if grid_choices[key] != command_line[key]
        ]
        choices = {
            k: v
            for k, v in grid_choices.items()
            if k in command_line or k.partition(".")[0] not in replaced
        }
        for job in itertools.product(*(choices | command_line).values()):
            jobs.setdefault(tuple(sorted(job)), list(job))
    return list(jobs.values())


def _choices(grid: Mapping[str, Any], parser: OverridesParser) -> dict[str, list[str]]:
    """Return the overrides to choose from, for each key of a grid."""
    choices = {}
    for key, value in grid.items():
        values = value if isinstance(value, list | tuple) else [value]
        if not values:
            raise ValueError(f"{key} must have at least one value, got []")
        overrides = parser.parse_overrides([f"{key}={_text(value)}" for value in values])
        choices[_key(overrides[0])] = [
            text for override in overrides for text in _list_values(override)
        ]
    return choices


def _key(override: Override) -> str:
    # `+key`, `++key` and `~key` name the same key, so that each can replace the others.
    return override.get_key_element().lstrip("+~")


def _list_values(override: Override) -> list[str]:
    """Return an override for each value of a choice or range."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise ValueError(f"a grid needs separate values, got the interval {override.input_line}")
    values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    if not values:
        raise ValueError(f"{key} must have at least one value, got {override.input_line}")
    return values


def _text(value: Any) -> str:
    """Write a value in the grammar of Hydra's overrides; text is in that grammar already."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    return str(value)
