"""How little a network should be trusted on an image: detectors, each higher for a worse sign.

max_softmax and energy look at the logits; mahalanobis, class_distance and centroid_margin compare
any layer with what reference images do there (`fvjax.reference.distances`).
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

Heads = Sequence[Sequence[int]]  # the logits of each head: one answer is chosen in each


def heads(model: Model, logits: str) -> tuple[tuple[int, ...], ...]:
    """The network's heads: logits of classes named "texture=..." are one; without names, all are.

    Args:
        model: the network.
        logits: its layer of logits.
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
    """All detectors, by layer and name.

    Args:
        activations: of one image.
        distributions: of the layers to look at; those without labels tell nothing of classes.
        logits: the layer of logits.
        heads: see `heads`.
    """
    found = {
        layer: feature_scores(layer_of(activations, layer), g) for layer, g in distributions.items()
    }
    found[logits] = logit_scores(layer_of(activations, logits), heads) | found.get(logits, {})
    return found


def logit_scores(logits: Float[Array, "classes"], heads: Heads) -> dict[str, Scalar]:
    """What the logits say.

    Returns:
        max_softmax, minus the logarithm of the most probable class's probability, at the head that
        is least sure (Hendrycks and Gimpel 2017; the logarithm because probabilities round to 1);
        energy, -logsumexp summed over heads (Liu et al. 2020).
    """
    own = [jnp.sort(logits[jnp.array(head)]) for head in heads]
    unsure = [jnp.log1p(jnp.sum(jnp.exp(x[:-1] - x[-1]))) for x in own]
    energies = [-jax.nn.logsumexp(x) for x in own]
    return {"max_softmax": jnp.max(jnp.stack(unsure)), "energy": jnp.sum(jnp.stack(energies))}


def feature_scores(
    layer: Float[Array, "*space channels"], distribution: ReferenceDistribution
) -> dict[str, Scalar]:
    """What the layer says: mahalanobis, and with classes class_distance and minus centroid_margin.

    All positions are looked at; the distances to classes are those of their mean (Lee et al. 2018).
    """
    found = {"mahalanobis": mahalanobis(layer.reshape(-1, layer.shape[-1]), distribution)}
    near = class_distances(layer, distribution)
    if near:
        found["class_distance"] = near["class_distance"]
        found["centroid_margin"] = -near["centroid_margin"]
    return found


def is_correct(
    logits: Float[Array, "classes"], labels: Int[Array, "heads"], heads: Heads
) -> Bool[Array, ""]:
    """Whether every head's answer is the label."""
    answers = jnp.stack([jnp.argmax(logits[jnp.array(head)]) for head in heads])
    return jnp.all(answers == labels)
