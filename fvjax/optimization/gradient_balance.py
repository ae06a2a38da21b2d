"""Comparable weights: penalties scaled to the norm of the score's gradient at the start."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from fvjax.models.model import Model
from fvjax.objectives.objective import Objective, parts
from fvjax.objectives.penalties import Balanced
from fvjax.optimization.octaves import by_size
from fvjax.optimization.recipe import Job
from fvjax.optimization.score import score_of
from fvjax.types import Scalar

SEEDS = 8  # fixed initial images over which gradients are averaged
_LEAST = 1e-4  # least norm of a penalty's gradient, as a share of the score's


def balanced(model: Model, job: Job) -> Job:
    """Return the job with the measured ratio of every `Balanced` penalty."""
    return with_ratios(job, gradient_ratios(model, job))


def with_ratios(job: Job, ratios: Sequence[Scalar]) -> Job:
    """Return the job with these ratios of its `Balanced` penalties, in the order of `parts`."""
    if not ratios:
        return job
    return _with_objective(job, _with_ratios(job.recipe.objective, iter(ratios)))


def gradient_ratios(model: Model, job: Job) -> tuple[Scalar, ...]:
    """Return the ratio of every `Balanced` penalty of a job, in the order of `parts`.

    ratio = mean |∇score| / mean |∇penalty|, where the score is without penalties. Gradients are by
    the image's parameters, averaged over the same eight initial images for every job. Of octaves,
    the smallest is measured.
    """
    job = by_size(job)[0]
    objective = job.recipe.objective
    count = sum(isinstance(part, Balanced) for part in parts(objective))
    if not count:
        return ()

    def gradient(seed: Array, ratios: Float[Array, "penalties"]) -> Any:
        probe = _with_objective(job, _with_ratios(objective, iter(ratios), weight=1.0))
        params = job.recipe.init(jax.random.key(seed))

        def score(params: Any) -> Scalar:
            return score_of(model, probe, job.recipe.decode(params), redirect=True)[0]

        return jax.grad(score)(params)

    def norms(seed: Array) -> Float[Array, "terms"]:
        """Return the gradient norms of the score and of each penalty."""
        probes = jnp.concatenate([jnp.zeros((1, count)), jnp.eye(count)])
        gradients = lax.map(lambda ratios: gradient(seed, ratios), probes)
        of_terms = jax.tree.map(lambda g: g.at[1:].add(-g[:1]), gradients)
        term_norms: Array = jax.vmap(optax.tree.norm)(of_terms)
        return term_norms

    score_norm, *penalty_norms = jnp.mean(lax.map(norms, jnp.arange(SEEDS)), 0)
    ratios = [score_norm / jnp.maximum(n, _LEAST * score_norm) for n in penalty_norms]
    return tuple(jnp.where(score_norm > 0, ratio, 0.0) for ratio in ratios)


def _with_objective(job: Job, objective: Objective) -> Job:
    recipe = job.recipe.replace(objective=objective)  # type: ignore[attr-defined]
    return job.replace(recipe=recipe)  # type: ignore[attr-defined, no-any-return]


def _with_ratios(objective: Any, ratios: Iterator[Any], weight: float | None = None) -> Any:
    """Return the objective with these ratios, in the order of `parts`, and a weight if given."""
    if isinstance(objective, tuple):
        return tuple(_with_ratios(term, ratios, weight) for term in objective)
    if not isinstance(objective, Objective) or not dataclasses.is_dataclass(objective):
        return objective
    if isinstance(objective, Balanced):
        weight_here = objective.weight if weight is None else weight
        objective = dataclasses.replace(objective, ratio=next(ratios), weight=weight_here)
    inner = {
        field.name: _with_ratios(getattr(objective, field.name), ratios, weight)
        for field in dataclasses.fields(objective)
        if isinstance(getattr(objective, field.name), (Objective, tuple))
    }
    return dataclasses.replace(objective, **inner)
