"""`direction.at=each` of a sweep: one job for each position of the photograph's layer."""

import math
from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from fvjax.image_size import height_width
from sweeps.planning.build import environment

_KEY = "direction.at"
_EACH = f"{_KEY}=each"


def expand_positions(
    jobs: Sequence[Sequence[str]], compose: Callable[[list[str]], DictConfig]
) -> list[list[str]]:
    """Return the jobs, with those of `direction.at=each` repeated for 0, 1, ... counted by rows.

    Args:
        jobs: the overrides of each job.
        compose: makes the config of a job's overrides.

    Raises:
        ValueError: a config that cannot be built; the layer has no positions.
    """
    expanded: list[list[str]] = []
    count_of: dict[tuple[str, ...], int] = {}
    for job in jobs:
        if _EACH not in job:
            expanded.append(list(job))
            continue
        others = tuple(sorted(one for one in job if one.startswith(_DECIDING)))
        if others not in count_of:
            count_of[others] = _positions(compose([one for one in job if one != _EACH]))
        for number in range(count_of[others]):
            expanded.append([f"{_KEY}={number}" if one == _EACH else one for one in job])
    return expanded


_DECIDING = ("model", "layer=", "image_size=", "direction=", "direction.image_size=")


def _positions(config: DictConfig) -> int:
    cfg, setup = environment(config)
    size = cfg["direction"].get("image_size") or setup.image_size
    shape = setup.model.shapes(height_width(size, "direction.image_size"))[setup.layer]
    if len(shape) == 1:
        raise ValueError(f"{_EACH}: layer {setup.layer!r} has no positions")
    return math.prod(shape[:-1])
