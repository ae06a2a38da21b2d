"""The score of an image, or of a job's several images, as the loop sees it."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from fvjax.direction import Direction, Share, View
from fvjax.metrics.measure import alignment, is_dead
from fvjax.models.model import Model
from fvjax.objectives.objective import parts
from fvjax.objectives.penalties import IrrelevantNorm, irrelevance
from fvjax.optimization.recipe import Job
from fvjax.types import Activations, Flag, Image, Scalar

Views: TypeAlias = Callable[[Image, int | Array], Array]  # of an image and its number in the job


def as_it_is(image: Image, number: int | Array) -> Image:
    """No transform."""
    del number
    return image


def score_of(
    model: Model, job: Job, image: Image, views: Views = as_it_is, redirect: Flag = False
) -> tuple[Scalar, dict[str, Array]]:
    """Score of an image of which the network sees a view; of several where the job makes several.

    Penalties on "image" see the image itself, before the transform. Also returns dot, cosine,
    orthogonal and norm at the objective's positions, and whether part of the direction is is_dead:
    these in the plain space, whatever the objective's; of several images, the mean, and whether any
    is is_dead.
    """
    recipe = job.recipe

    def one(image: Image, number: int | Array, share: Share) -> tuple[Activations, Direction]:
        return _seen(model, job, image, lambda shown: views(shown, number), redirect, share)

    def told(activations: Activations, direction: Direction) -> dict[str, Array]:
        here = activations, direction.original
        return alignment(*here) | {"is_dead": is_dead(*here)}

    if recipe.images_per_job == 1:
        seen = one(image, 0, 0.0)
        return recipe.objective(*seen), told(*seen)
    shares = jnp.linspace(0, 1, recipe.images_per_job)
    each = jax.vmap(one)(image, jnp.arange(recipe.images_per_job), shares)
    all_told = jax.vmap(told)(*each)
    any_asleep = jnp.any(all_told.pop("is_dead"))
    means = {name: jnp.mean(values) for name, values in all_told.items()}
    return recipe.objective.score_batch(*each), means | {"is_dead": any_asleep}


def _seen(
    model: Model, job: Job, image: Image, view: View, redirect: Flag, share: Share
) -> tuple[Activations, Direction]:
    """What an objective is given of one image."""
    direction = job.direction.at(share).resolve(model, view)
    seen = view(image)
    activations = {**model(seen, redirect=redirect), "image": image}
    return {**activations, **_irrelevances(model, job, activations, seen, direction)}, direction


def _irrelevances(
    model: Model, job: Job, activations: Activations, seen: Image, direction: Direction
) -> Activations:
    """1 - |h · ∂score/∂h| over its largest in the layer, for each layer of an `IrrelevantNorm`.

    The score is the objective without those penalties. Constant for the image's own gradient.
    """
    objective = job.recipe.objective
    layers = {p.layer for p in parts(objective) if isinstance(p, IrrelevantNorm)}
    if not layers:
        return {}
    values = {layer: lax.stop_gradient(activations[layer]) for layer in layers}
    none = {irrelevance(layer): jnp.zeros_like(value) for layer, value in values.items()}
    image, shown = lax.stop_gradient((activations["image"], seen))

    def score(offsets: Activations) -> Scalar:
        return objective({**model(shown, offsets), "image": image, **none}, direction)

    gradients = jax.grad(score)({layer: jnp.zeros_like(value) for layer, value in values.items()})
    relevant = {layer: jnp.abs(values[layer] * gradients[layer]) for layer in layers}
    most = {layer: jnp.max(relevance) for layer, relevance in relevant.items()}
    return {
        irrelevance(layer): 1 - relevance / jnp.where(most[layer] > 0, most[layer], 1.0)
        for layer, relevance in relevant.items()
    }
