"""Metrics of a finished image, independent of the objective that produced it.

Metrics are measured in the network's own space, with the original direction, at the direction's
positions.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.activations import layer_of, norm
from fvjax.direction import Direction, Target, activations_at
from fvjax.image_quality import high_frequency, saturated, total_variation
from fvjax.models.model import Model, with_model_precision
from fvjax.objectives.similarity import cosines, dots, inversion_error, orthogonal
from fvjax.reference.distances import ReferenceDistribution, reference_metrics
from fvjax.transforms import Transform
from fvjax.transparency import opaque
from fvjax.types import Activations, Image, Scalar

VIEWS = 16  # fixed random views behind the robust_* metrics
BLOCKS = 8  # `occlusion_support` hides one of BLOCKS x BLOCKS patches at a time
_OCCLUSION_SHARE = 0.9  # share of the dot product on the counted patches


def alignment(activations: Activations, direction: Direction) -> dict[str, Scalar]:
    """Return the means over positions of dot, cosine, norm |a| and orthogonal share |a⊥|/|a|."""
    a, v = activations_at(activations, direction)
    length = norm(a)
    share = norm(orthogonal(a, v)) / jnp.where(length > 0, length, 1.0)
    return {
        "dot": jnp.mean(dots(a, v)),
        "cosine": jnp.mean(cosines(a, v)),
        "norm": jnp.mean(length),
        "orthogonal": jnp.mean(share),
    }


def is_dead(activations: Activations, direction: Direction) -> Bool[Array, ""]:
    """Return whether at least half of the direction's positive channels are dead.

    A channel is dead if its activation is 0 at all positions. Channels with v > 0 are weighted by
    v²: an activation vector always has some dead channels among hundreds.
    """
    a, v = activations_at(activations, direction)
    weights = jnp.sum(jnp.maximum(v, 0) ** 2, 0)
    dead = jnp.all(a == 0, 0)
    return (jnp.sum(weights) > 0) & (jnp.sum(weights * dead) >= 0.5 * jnp.sum(weights))


@with_model_precision
def measure(
    model: Model,
    direction: Target,
    image: Image,
    transform: Transform,
    distribution: ReferenceDistribution | None = None,
    whitened: Float[Array, "channels"] | None = None,
) -> dict[str, Scalar]:
    """Return all metrics of one image by name; NaN if the image is not finite.

    The caller drops metrics that do not apply: `rank` without a single channel, `inversion_error`
    of a covector, `occlusion_support` of a dot product that is not positive.

    Args:
        model: the network.
        direction: the job's direction; the original direction is measured.
        image: (height, width, 3), or with alpha (height, width, 4); untransformed.
        transform: draws the fixed views behind `robust_dot` and `robust_cosine`.
        distribution: reference images at this layer; adds `excitation whitened_cosine mahalanobis`,
            with labels also `class_distance centroid_margin`.
        whitened: the direction in the distribution's whitened space.
    """
    target = direction.original.resolve(model, lambda view: view)
    before = model.previous(target.layer)
    keys = jax.random.split(jax.random.key(0), VIEWS)
    hidden = 1 + BLOCKS * BLOCKS  # view 0 hides patch -1, that is nothing

    def metrics_of(view: Image) -> dict[str, Scalar]:
        return _view_metrics(model(view), target, before, distribution, whitened)

    def whole(number: Array) -> Image:
        return hide(image, number - 1)

    def moved(number: Array) -> Image:
        return transform(keys[number - hidden], image)

    numbers = jnp.arange(hidden + VIEWS)
    if jax.eval_shape(moved, numbers[0]).shape == image.shape:
        # One map over all views compiles the network once, and no drop is a rounding error.
        views = lax.map(lambda n: metrics_of(lax.cond(n < hidden, whole, moved, n)), numbers)
    else:  # the transform crops
        first = lax.map(lambda n: metrics_of(whole(n)), numbers[:hidden])
        rest = lax.map(lambda n: metrics_of(moved(n)), numbers[hidden:])
        views = jax.tree.map(lambda *parts: jnp.concatenate(parts), first, rest)
    dots_hidden, seen = views["dot"][:hidden], opaque(image)
    metrics = {name: values[0] for name, values in views.items()} | {
        "robust_dot": jnp.mean(views["dot"][hidden:]),
        "robust_cosine": jnp.mean(views["cosine"][hidden:]),
        "occlusion_support": occlusion_support(dots_hidden[0] - dots_hidden[1:]),
        "total_variation": total_variation(seen),
        "high_frequency": high_frequency(seen),
        "saturated": saturated(seen),
    }
    finite = jnp.all(jnp.isfinite(image))
    return {name: jnp.where(finite, value, jnp.nan) for name, value in metrics.items()}


def _view_metrics(
    activations: Activations,
    target: Direction,
    before: str | None,
    distribution: ReferenceDistribution | None,
    whitened: Float[Array, "channels"] | None,
) -> dict[str, Scalar]:
    """Return the metrics of one view; `before` names the previous layer."""
    metrics = alignment(activations, target) | {
        "rank": rank(activations, target),
        "inversion_error": inversion_error(*activations_at(activations, target)),
    }
    if before is not None:
        previous = layer_of(activations, before)
        metrics |= {
            "previous_l1": jnp.mean(jnp.abs(previous)),
            "previous_l2": jnp.mean(previous**2),
        }
    if distribution is not None:
        layer = layer_of(activations, target.layer)
        metrics |= reference_metrics(activations, target, layer, whitened, distribution)
    return metrics


def rank(activations: Activations, direction: Direction) -> Scalar:
    """Return the rank, by mean activation, of the direction's largest channel; 1 is highest."""
    a, v = activations_at(activations, direction)
    mean = jnp.mean(a, 0)
    return 1.0 + jnp.sum(mean > mean[jnp.argmax(v[0])])


def occlusion_support(drops: Float[Array, "patches"]) -> Scalar:
    """Return the smallest share of patches whose positive drops sum to 90 % of the total.

    `drops` holds the decrease of the dot product when a patch is hidden. If no drop is positive,
    the share is NaN.
    """
    carried = jnp.sort(jnp.maximum(drops, 0))[::-1]
    total = jnp.sum(carried)
    share = jnp.cumsum(carried) / jnp.where(total > 0, total, 1.0)
    counted = (1 + jnp.sum(share < _OCCLUSION_SHARE)) / drops.size
    return jnp.where(total > 0, counted, jnp.nan)


def hide(image: Image, patch: Array) -> Image:
    """Return the image with one patch, counted row by row, replaced by the mean colour."""
    height, width, _ = image.shape
    row, column = jnp.arange(height) * BLOCKS // height, jnp.arange(width) * BLOCKS // width
    hidden = row[:, None] * BLOCKS + column[None, :] == patch
    return jnp.where(hidden[..., None], jnp.mean(image, (0, 1), keepdims=True), image)
