"""Inputs of the metrics besides the image: shared by all jobs, or of a single job."""

import jax
import jax.numpy as jnp
from jax.scipy.special import entr
from jaxtyping import Array, Bool, Float, Int

from fvjax.metrics.ground_truth import GroundTruth
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass
from fvjax.reference.distances import ReferenceDistribution
from fvjax.types import Image, Scalar


@dataclass
class SharedMetricInputs:
    """Inputs shared by all jobs of a layer."""

    reference: ReferenceDistribution | None = None  # distribution of reference images
    truth: GroundTruth | None = None  # of a planted model
    judge: Model | None = None  # another network, which classifies the pictures
    own: dict[str, Objective] | None = None  # a user's metrics by name, read like objectives


@dataclass
class Concept:
    """A class of a judge: its logit, and the logits of mutually exclusive classes."""

    index: Int[Array, ""]
    rivals: Bool[Array, "logits"]  # the class itself included


def transfer(judge: Model, image: Image, concept: Concept) -> Scalar:
    """Return the judge's probability of the class: softmax over mutually exclusive classes."""
    return _probabilities(judge, image, concept)[concept.index]


def ambiguity(judge: Model, image: Image, concept: Concept) -> Scalar:
    """Return the effective number of classes: exp of the entropy of the judge's probabilities."""
    return jnp.exp(jnp.sum(entr(_probabilities(judge, image, concept))))


def _probabilities(judge: Model, image: Image, concept: Concept) -> Float[Array, "logits"]:
    logits = judge(image)["logits"]
    return jax.nn.softmax(jnp.where(concept.rivals, logits, -jnp.inf))


@dataclass
class JobMetricInputs:
    """Inputs of a single job."""

    whitened: Float[Array, "channels"] | None = None  # the direction in the whitened space
    feature: Array | None = None  # the direction's planted feature
    concept: Concept | None = None  # the direction's class of the judge
