"""Unions of grids: what Hydra's one product of choices cannot say."""

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
    """The overrides of every job of a union of grids, in order and each job once.

    A grid maps override keys to a value, a list of values, or text in Hydra's grammar (`1,2`,
    `range(0,8)`); its jobs are the product of them. `params` holds for every grid that does not
    name the key itself. An argument of the command line multiplies every grid, or takes the place
    of what the grid or `params` say for its key: the command line always wins, and jobs that become
    equal by this are one job. Where it chooses other options of a group than the grid, the keys
    that the grid has for that group (`objective.exponent` for `objective`) fall away too. Without
    grids, `params` and the arguments are the one grid, as for Hydra's own sweeper.

    Args:
        grids: the grids of the union.
        params: choices common to all grids.
        arguments: the overrides of the command line.
        loader: finds the options of a group for `glob(...)`.
        cross_with: another union of grids; every grid of the first is multiplied by each of it.
    """
    parser = OverridesParser.create(config_loader=loader)
    given = {_name(one): _each(one) for one in parser.parse_overrides(list(arguments))}
    common = _choices(params, parser)
    jobs: dict[tuple[str, ...], list[str]] = {}
    for other, grid in itertools.product(cross_with or [{}], grids or [{}]):
        own = common | _choices(other, parser) | _choices(grid, parser)
        replaced = [key for key in own.keys() & given.keys() if own[key] != given[key]]
        kept = {k: v for k, v in own.items() if k in given or k.partition(".")[0] not in replaced}
        for job in itertools.product(*(kept | given).values()):
            jobs.setdefault(tuple(sorted(job)), list(job))
    return list(jobs.values())


def _choices(grid: Mapping[str, Any], parser: OverridesParser) -> dict[str, list[str]]:
    """For every key of a grid, the overrides to choose from."""
    choices = {}
    for key, value in grid.items():
        values = value if isinstance(value, list | tuple) else [value]
        if not values:
            raise ValueError(f"{key} must have at least one value, got []")
        overrides = parser.parse_overrides([f"{key}={_text(one)}" for one in values])
        choices[_name(overrides[0])] = [one for override in overrides for one in _each(override)]
    return choices


def _name(override: Override) -> str:
    # `+key`, `++key` and `~key` are about the same key, so one takes the place of the other.
    return override.get_key_element().lstrip("+~")


def _each(override: Override) -> list[str]:
    """One override for every value of a choice or range."""
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
    """A value in the grammar of Hydra's overrides; text is in that grammar already."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    return str(value)
