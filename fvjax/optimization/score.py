"""The score of a job's image or images, with the metrics of each step."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from fvjax.direction import Direction, Share, View, activations_at, base, refuse_places
from fvjax.metrics.measure import alignment, is_dead
from fvjax.models.model import Model
from fvjax.objectives.examples import Anchor, anchored
from fvjax.objectives.objective import Objective, held_directions, parts
from fvjax.objectives.penalties import IrrelevantNorm, irrelevance
from fvjax.objectives.similarity import dots
from fvjax.optimization.recipe import Job
from fvjax.types import Activations, Flag, Image, Images, Scalar

Views: TypeAlias = Callable[[Image, int | Array], Array]  # an image, its number in the job


def as_it_is(image: Image, number: int | Array) -> Image:
    """Return the image without a transform."""
    del number
    return image


def score_of(
    model: Model, job: Job, image: Images, views: Views = as_it_is, redirect: Flag = False
) -> tuple[Scalar, dict[str, Array]]:
    """Return the score and the metrics of a job's image, or of its several images.

    Args:
        model: the network.
        job: the objective and direction.
        image: (height, width, 3), or with a leading axis if the job has several images.
        views: maps an image and its number to the view that the network receives. Penalties on
            "image" receive the image itself.
        redirect: whether ReLUs revive dead channels.

    Returns:
        The score, and `dot cosine orthogonal norm` in the network's own space, at the direction's
        positions. `is_dead` tells whether a direction that the objective reads is dead.
        `is_silent` tells whether all of these have dot 0; false if the objective reads none. For
        several images: means, and whether a direction is dead for any.
    """
    recipe = job.recipe

    def inputs(image: Image, number: int | Array, share: Share) -> tuple[Activations, Direction]:
        return _objective_inputs(model, job, image, lambda x: views(x, number), redirect, share)

    def metrics(activations: Activations, direction: Direction) -> dict[str, Array]:
        read = _read_directions(recipe.objective, activations, direction)
        dead = [is_dead(activations, one) for one in read]
        silent = [jnp.mean(dots(*activations_at(activations, one))) == 0 for one in read]
        return alignment(activations, direction.original) | {
            "is_dead": jnp.any(jnp.asarray(dead, bool)),
            "is_silent": jnp.all(jnp.asarray(silent, bool)) & bool(read),
        }

    metrics = jax.named_scope("history")(metrics)
    objective = jax.named_scope("objective")
    if recipe.images_per_job == 1:
        single = inputs(image, 0, 0.0)
        return objective(recipe.objective)(*single), metrics(*single)
    shares = jnp.linspace(0, 1, recipe.images_per_job)
    batch = jax.vmap(inputs)(image, jnp.arange(recipe.images_per_job), shares)
    batch_metrics = jax.vmap(metrics)(*batch)
    flags = {
        "is_dead": jnp.any(batch_metrics.pop("is_dead")),
        "is_silent": jnp.all(batch_metrics.pop("is_silent")),
    }
    means = {name: jnp.mean(values) for name, values in batch_metrics.items()}
    return objective(recipe.objective.score_batch)(*batch), means | flags


def _read_directions(
    objective: Objective, activations: Activations, direction: Direction
) -> tuple[Direction, ...]:
    """Return the directions that an objective reads, in the network's own layers.

    These are the directions in its fields, and the job's unless the score does not depend on the
    job's vector: then no part of the traced score uses it.
    """

    def score(vector: Array) -> Scalar:
        return objective(activations, replace(direction, vector=vector))

    traced = jax.make_jaxpr(score)(direction.vector).jaxpr
    used = {id(variable) for variable in traced.outvars}
    for equation in reversed(traced.eqns):
        if not used.isdisjoint(map(id, equation.outvars)):
            used |= set(map(id, equation.invars))
    read = held_directions(objective)
    if id(traced.invars[0]) in used:
        original = direction.original
        same_layer = base(direction.layer) == original.layer  # else it is minimised before the ReLU
        read = (original if same_layer else direction, *read)
    return read


def _objective_inputs(
    model: Model, job: Job, image: Image, view: View, redirect: Flag, share: Share
) -> tuple[Activations, Direction]:
    """Return the activations and the direction that an objective receives for one image."""
    direction = job.direction.at(share).resolve(model, view)
    viewed = view(image)
    if viewed.shape != image.shape:
        refuse_places(
            (direction, *held_directions(job.recipe.objective)),
            "a transform that crops needs position=all and one vector for all positions: a place "
            "of a tile is another one of the picture in each step",
        )
    with jax.named_scope("network"):
        activations = {**model(viewed, redirect=redirect), "image": image}
    activations |= _anchors(model, job.recipe.objective, view)
    return {**activations, **_irrelevances(model, job, activations, viewed, direction)}, direction


def _anchors(model: Model, objective: Objective, view: View) -> Activations:
    """Return the photograph's activations under the step's view, for each `Anchor`."""
    found: dict[str, Array] = {}
    for part in parts(objective):
        if isinstance(part, Anchor):
            seen = {**model(view(part.image)), "image": part.image}
            found[anchored(part.layer)] = lax.stop_gradient(seen[part.layer])
    return found


def _irrelevances(
    model: Model, job: Job, activations: Activations, viewed: Image, direction: Direction
) -> Activations:
    """Return 1 - r / max r with r = |h · ∂score/∂h|, for each layer h of an `IrrelevantNorm`.

    The score is the objective without these penalties. The image's gradient treats r as constant.
    """
    objective = job.recipe.objective
    layers = {p.layer for p in parts(objective) if isinstance(p, IrrelevantNorm)}
    if not layers:
        return {}
    values = {layer: lax.stop_gradient(activations[layer]) for layer in layers}
    no_weights = {irrelevance(layer): jnp.zeros_like(value) for layer, value in values.items()}
    activations, viewed = lax.stop_gradient((dict(activations), viewed))

    def score(offsets: Activations) -> Scalar:
        return objective({**activations, **model(viewed, offsets), **no_weights}, direction)

    gradients = jax.grad(score)({layer: jnp.zeros_like(value) for layer, value in values.items()})
    relevances = {layer: jnp.abs(values[layer] * gradients[layer]) for layer in layers}
    largest = {layer: jnp.max(relevance) for layer, relevance in relevances.items()}
    return {
        irrelevance(layer): 1 - relevance / jnp.where(largest[layer] > 0, largest[layer], 1.0)
        for layer, relevance in relevances.items()
    }
