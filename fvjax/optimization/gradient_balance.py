"""Weights that mean the same everywhere: a penalty's gradient against the score's at the start."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from fvjax.models.model import Model
from fvjax.objectives.objective import Objective, parts
from fvjax.objectives.penalties import Balanced
from fvjax.optimization.recipe import Job
from fvjax.optimization.score import score_of
from fvjax.types import Scalar

SEEDS = 8  # fixed first images over which gradients are averaged
_LEAST = 1e-4  # of the score's gradient: a penalty that has next to none is not blown up further


def balanced(model: Model, job: Job) -> Job:
    """The job with the ratio of every `Balanced` penalty measured.

    ratio = mean |∇score| / mean |∇penalty|, over the same eight first images for every job,
    untransformed; gradients by the image's parameters, penalties left out of the score.
    """
    objective = job.recipe.objective
    count = sum(isinstance(part, Balanced) for part in parts(objective))
    if not count:
        return job

    def gradient(seed: Array, ratios: Float[Array, "penalties"]) -> Any:
        probe = _with(job, _rated(objective, iter(ratios), weight=1.0))
        params = job.recipe.init(jax.random.key(seed))

        def score(params: Any) -> Scalar:
            return score_of(model, probe, job.recipe.decode(params), redirect=True)[0]

        return jax.grad(score)(params)

    def lengths(seed: Array) -> Float[Array, "1 + penalties"]:
        """Of the gradient of the score, and of each penalty: what it adds."""
        probes = jnp.concatenate([jnp.zeros((1, count)), jnp.eye(count)])
        gradients = lax.map(lambda ratios: gradient(seed, ratios), probes)
        added = jax.tree.map(lambda g: g.at[1:].add(-g[:1]), gradients)
        found: Array = jax.vmap(optax.tree.norm)(added)
        return found

    own, *theirs = jnp.mean(lax.map(lengths, jnp.arange(SEEDS)), 0)
    ratios = [own / jnp.maximum(other, _LEAST * own) for other in theirs]
    return _with(job, _rated(objective, (jnp.where(own > 0, r, 0.0) for r in ratios)))


def _with(job: Job, objective: Objective) -> Job:
    recipe = job.recipe.replace(objective=objective)  # type: ignore[attr-defined]
    return job.replace(recipe=recipe)  # type: ignore[attr-defined, no-any-return]


def _rated(objective: Any, ratios: Iterator[Any], weight: float | None = None) -> Any:
    """The objective with these ratios, in the order of `parts`, and a weight if given."""
    if isinstance(objective, tuple):
        return tuple(_rated(one, ratios, weight) for one in objective)
    if not isinstance(objective, Objective):
        return objective
    if isinstance(objective, Balanced):
        kept = objective.weight if weight is None else weight
        objective = dataclasses.replace(objective, ratio=next(ratios), weight=kept)
    inner = {
        field.name: _rated(getattr(objective, field.name), ratios, weight)
        for field in dataclasses.fields(objective)
        if isinstance(getattr(objective, field.name), (Objective, tuple))
    }
    return dataclasses.replace(objective, **inner)
