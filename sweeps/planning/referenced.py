"""Objectives that reference images complete: differential, softmax and match."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import fvjax
from fvjax import checks
from fvjax.activations import unit
from fvjax.direction import Direction, Interpolation, layer_at
from fvjax.models.readout import head_of, is_readout
from fvjax.objectives.objective import Objective
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.reference.moments import forward
from fvjax.sources import DirectionInfo, Setup
from fvjax.spaces import Plain, Space


def completed(
    config: Mapping[str, Any], setup: Setup, info: DirectionInfo, space: Space, direction: Any
) -> Objective | None:
    """Return the objective of a config that reference images complete; None for other configs.

    Args:
        config: the config of the objective.
        setup: the setup of the job.
        info: the direction, in the network's own space.
        space: the space that the objective reads.
        direction: the direction that the objective reads, which may lie before a ReLU.
    """
    make = _MAKERS.get(str(config["_target_"]))
    if make is None:
        return None
    name = str(config["_target_"]).rpartition(".")[2].lower()
    if not isinstance(space, Plain):
        raise ValueError(f"objective={name} is defined for space=plain only")
    if isinstance(direction, Interpolation):
        raise ValueError(f"objective={name} needs one direction for all images of a job")
    return make(config, setup, info, direction)


def _differential(
    config: Mapping[str, Any], setup: Setup, info: DirectionInfo, direction: Any
) -> Objective:
    rows, along = _projections("objective=differential", setup, info, direction)
    weight = config.get("weight", 1.0)
    return fvjax.Differential(along=float(along.std()), stddev=rows.std(0), weight=weight)


def _softmax(
    config: Mapping[str, Any], setup: Setup, info: DirectionInfo, direction: Any
) -> Objective:
    """Return the softmax over standardised channels, or over the raw logits of one head."""
    temperature, layer = config["temperature"], direction.layer
    checks.positive("objective.temperature", temperature)
    if isinstance(direction, Direction) and is_readout(setup.model, layer):
        head = head_of(setup.model, layer, np.asarray(direction.vector))
        inside, ones = jnp.asarray(head, jnp.float32), jnp.ones(len(head))
        return fvjax.Softmax(rivals=inside, mean=0 * ones, stddev=ones, temperature=temperature)
    rows, along = _projections("objective=softmax", setup, info, direction)
    return fvjax.Softmax(
        rivals=jnp.ones(rows.shape[1]),
        mean=jnp.asarray(rows.mean(0)),
        stddev=jnp.asarray(rows.std(0)),
        along_mean=float(along.mean()),
        along=float(along.std()),
        temperature=temperature,
    )


def _projections(
    user: str, setup: Setup, info: DirectionInfo, direction: Any
) -> tuple[Float[np.ndarray, "images channels"], Float[np.ndarray, "images"]]:
    """Return the reference images' activations, and their dot products with the direction."""
    reference = setup.require_reference(user)
    rows = reference.rows(direction.layer, setup.position)
    if rows is None or info.reference_projections is None:
        raise ValueError(f"{user} needs position=all or position=center")
    along = info.reference_projections
    if direction.layer != info.direction.layer and isinstance(direction, Direction):
        along = rows @ np.asarray(unit(direction.vector))
    return rows.astype(np.float32), along


def _match(
    config: Mapping[str, Any], setup: Setup, info: DirectionInfo, direction: Any
) -> Objective:
    reference = setup.require_reference("objective=match")
    checks.count("objective.count", config["count"], most=reference.image_count)
    if info.reference_projections is None:
        raise ValueError("objective=match needs position=all or position=center")
    best = np.argsort(-info.reference_projections, kind="stable")[: config["count"]]
    place = direction.position
    target = _sorted_mean(
        reference,
        direction.layer,
        tuple(sorted(map(int, best))),
        None if place is None else tuple(map(int, place)),
    )
    return fvjax.Match(target=jnp.asarray(target))


@cache
def _sorted_mean(
    reference: ReferenceStatistics,
    layer: str,
    numbers: tuple[int, ...],
    place: tuple[int, ...] | None,
) -> Float[np.ndarray, "positions channels"]:
    """Return the activations of some images, sorted over positions, averaged over images."""
    at = Direction(
        vector=jnp.zeros(1), layer=layer, position=None if place is None else jnp.asarray(place)
    )
    total: Any = 0.0
    for batch in reference.require_images("objective=match"):
        wanted = np.isin(batch.numbers, numbers)
        if wanted.any():
            maps = forward(reference.model, jnp.asarray(batch.images), (layer,))[layer]
            for a in maps[wanted]:
                cut = np.asarray(layer_at({layer: a}, layer, at))
                total = total + np.sort(cut.reshape(-1, cut.shape[-1]), 0)
    mean: np.ndarray = np.asarray(total / len(numbers), np.float32)
    return mean


_MAKERS: dict[str, Callable[..., Objective]] = {
    "fvjax.Differential": _differential,
    "fvjax.Softmax": _softmax,
    "fvjax.Match": _match,
}
