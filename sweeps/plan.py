"""Which jobs can share a program: those whose job and model have one structure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fvjax.models.model import Model
from fvjax.recipe import Job
from fvjax.yardsticks import Marks, Yardsticks

NONE = Yardsticks()


class Piece(NamedTuple):
    """One job of a sweep, and how its image is measured."""

    model: Model
    job: Job
    measured: bool = True  # all metrics, not only the score
    yardsticks: Yardsticks = NONE
    marks: Marks = Marks()


@dataclass(frozen=True)
class Group:
    """Jobs of one model that run in one program; `members` are their places in the sweep."""

    signature: Any  # equal where job and model have equal structure: one compiled program
    measured: bool
    model: Model
    yardsticks: Yardsticks
    members: tuple[int, ...]


def signature(*trees: Any) -> Any:
    """What decides a program: tree structures (static fields included), shapes and dtypes."""
    leaves, structure = jax.tree.flatten(trees)
    return structure, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves)


def plan(pieces: Sequence[Piece]) -> list[Group]:
    """Group pieces, in order of first appearance; no group mixes two models or yardsticks.

    Models that differ in leaves alone have groups of their own with an equal signature.
    """
    groups: dict[Any, list[int]] = {}
    for place, piece in enumerate(pieces):
        whole = signature(piece._replace(measured=None)), piece.measured  # type: ignore[arg-type]
        groups.setdefault((whole, id(piece.model), id(piece.yardsticks)), []).append(place)
    return [
        Group(whole, first.measured, first.model, first.yardsticks, tuple(members))
        for (whole, _, _), members in groups.items()
        for first in [pieces[members[0]]]
    ]


def chunks(members: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """The members in runs of at most `size`."""
    return [tuple(members[i : i + size]) for i in range(0, len(members), size)]
