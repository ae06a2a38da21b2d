"""`each` of a sweep: a job for each position of a photograph's layer, or for each atlas cell."""

import math
from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from fvjax.image_size import height_width
from fvjax.sources import AtlasCell
from sweeps.planning.environment import environment
from sweeps.planning.pieces import make

_AT, _ROW, _COLUMN = "direction.at=", "direction.row=", "direction.column="
_EACH = "each"
# Keys that decide how many jobs there are, by their beginnings.
_DECIDING = ("model", "layer=", "image_size=", "reference_", "direction", "precision=")


def expand_positions(
    jobs: Sequence[Sequence[str]], compose: Callable[[list[str]], DictConfig]
) -> list[list[str]]:
    """Return the jobs, with those of `each` repeated.

    `direction.at=each` becomes 0, 1, ... counted by rows. `direction.row=each` becomes row and
    column of each cell of an activation atlas that has enough vectors.

    Args:
        jobs: the overrides of each job.
        compose: makes the config of a job's overrides.

    Raises:
        ValueError: a config that cannot be built; the layer has no positions; no cell is filled.
    """
    expanded: list[list[str]] = []
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for job in jobs:
        each = next((key for key in (_AT, _ROW) if key + _EACH in job), None)
        if each is None:
            expanded.append(list(job))
            continue
        others = [one for one in job if not one.startswith((each, _COLUMN))]
        deciding = tuple(sorted(one for one in others if one.startswith(_DECIDING)))
        if deciding not in found:
            found[deciding] = (_positions if each == _AT else _cells)(compose(others))
        place = list(job).index(each + _EACH)
        for choice in found[deciding]:
            expanded.append([*others[:place], *choice, *others[place:]])
    return expanded


def _positions(config: DictConfig) -> list[list[str]]:
    cfg, setup = environment(config)
    size = cfg["direction"].get("image_size") or setup.image_size
    shape = setup.model.shapes(height_width(size, "direction.image_size"))[setup.layer]
    if len(shape) == 1:
        raise ValueError(f"{_AT}{_EACH}: layer {setup.layer!r} has no positions")
    return [[f"{_AT}{number}"] for number in range(math.prod(shape[:-1]))]


def _cells(config: DictConfig) -> list[list[str]]:
    cfg, setup = environment(config)
    source = make(cfg["direction"])
    if not isinstance(source, AtlasCell):
        raise ValueError(f"{_ROW}{_EACH} is for direction=atlas_cell")
    cells = source.filled(setup)
    if not cells:
        raise ValueError(
            f"no cell of the atlas has direction.least={source.least} vectors: give fewer "
            "direction.cells, or more reference images"
        )
    return [[f"{_ROW}{row}", f"{_COLUMN}{column}"] for row, column in cells]
