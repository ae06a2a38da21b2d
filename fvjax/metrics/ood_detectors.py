"""Detectors of out-of-distribution and misclassified images; higher values are more suspect.

`max_softmax` and `energy` use the logits. `mahalanobis`, `class_distance` and `centroid_margin`
compare a layer with reference images (`fvjax.reference.distances`).
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fvjax import checks
from fvjax.activations import layer_of
from fvjax.models.model import Model
from fvjax.reference.distances import ReferenceDistribution, class_distances, mahalanobis
from fvjax.types import Activations, Scalar

OF_LOGITS = ("max_softmax", "energy")
OF_CLASSES = ("class_distance", "centroid_margin")
DETECTORS = (*OF_LOGITS, "mahalanobis", *OF_CLASSES)

Heads = Sequence[Sequence[int]]  # the logits of each head; a head gives one answer


def heads(model: Model, logits: str) -> tuple[tuple[int, ...], ...]:
    """Return the logits of each head; classes named "texture=..." belong to one head.

    Without class names, all logits are one head.

    Args:
        model: the network.
        logits: the network's layer of logits.
    """
    checks.choice("layer", logits, model.layers)
    count = model.layers[logits][-1]
    if len(model.classes) != count:
        return (tuple(range(count)),)
    names = [name.rpartition("=")[0] for name in model.classes]
    return tuple(
        tuple(i for i, name in enumerate(names) if name == head) for head in dict.fromkeys(names)
    )


def detectors(
    activations: Activations,
    distributions: Mapping[str, ReferenceDistribution],
    logits: str,
    heads: Heads,
) -> dict[str, dict[str, Scalar]]:
    """Return all detectors by layer and name.

    Args:
        activations: activations of one image.
        distributions: distribution of each layer; without labels, class detectors are left out.
        logits: the layer of logits.
        heads: see `heads`.
    """
    scores = {
        layer: feature_scores(layer_of(activations, layer), g) for layer, g in distributions.items()
    }
    scores[logits] = logit_scores(layer_of(activations, logits), heads) | scores.get(logits, {})
    return scores


def logit_scores(logits: Float[Array, "classes"], heads: Heads) -> dict[str, Scalar]:
    """Return the detectors of the logits.

    Returns:
        `max_softmax`: minus the log probability of the most probable class, largest over heads
        (Hendrycks and Gimpel 2017; the logarithm, because probabilities round to 1).
        `energy`: -logsumexp, summed over heads (Liu et al. 2020).
    """
    sorted_logits = [jnp.sort(logits[jnp.array(head)]) for head in heads]
    unsure = [jnp.log1p(jnp.sum(jnp.exp(x[:-1] - x[-1]))) for x in sorted_logits]
    energies = [-jax.nn.logsumexp(x) for x in sorted_logits]
    return {"max_softmax": jnp.max(jnp.stack(unsure)), "energy": jnp.sum(jnp.stack(energies))}


def feature_scores(
    layer: Float[Array, "*space channels"], distribution: ReferenceDistribution
) -> dict[str, Scalar]:
    """Return a layer's mahalanobis and, with classes, class_distance and -centroid_margin.

    `mahalanobis` is over all positions; class distances are of the mean (Lee et al. 2018).
    """
    scores = {"mahalanobis": mahalanobis(layer.reshape(-1, layer.shape[-1]), distribution)}
    distances = class_distances(layer, distribution)
    if distances:
        scores["class_distance"] = distances["class_distance"]
        scores["centroid_margin"] = -distances["centroid_margin"]
    return scores


def is_correct(
    logits: Float[Array, "classes"], labels: Int[Array, "heads"], heads: Heads
) -> Bool[Array, ""]:
    """Return whether every head's answer is the label."""
    answers = jnp.stack([jnp.argmax(logits[jnp.array(head)]) for head in heads])
    return jnp.all(answers == labels)
