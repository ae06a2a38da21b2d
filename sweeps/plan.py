"""Which jobs can share a program: those whose job and model have one structure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from fvjax.models.model import Model
from fvjax.recipe import Job

Piece = tuple[Model, Job, bool]  # the last: whether the image is measured


@dataclass(frozen=True)
class Group:
    """Jobs of one model that run in one program; `members` are their places in the sweep."""

    signature: Any  # equal where job and model have equal structure: one compiled program
    measured: bool
    model: Model
    members: tuple[int, ...]


def signature(*trees: Any) -> Any:
    """What decides a program: tree structures (static fields included), shapes and dtypes."""
    leaves, structure = jax.tree.flatten(trees)
    return structure, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves)


def plan(pieces: Sequence[Piece]) -> list[Group]:
    """Group (model, job, measured), in order of first appearance; no group mixes two models.

    Models that differ in leaves alone have groups of their own with an equal signature.
    """
    groups: dict[Any, list[int]] = {}
    signatures = []
    for place, (model, job, measured) in enumerate(pieces):
        signatures.append((measured, signature(model, job)))
        groups.setdefault((signatures[-1], id(model)), []).append(place)
    return [
        Group(signatures[members[0]], pieces[members[0]][2], pieces[members[0]][0], tuple(members))
        for members in groups.values()
    ]


def chunks(members: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """The members in runs of at most `size`."""
    return [tuple(members[i : i + size]) for i in range(0, len(members), size)]
