"""What a sweep measures pictures against: shared by its jobs, and each job's own."""

import jax
import jax.numpy as jnp
from jax.scipy.special import entr
from jaxtyping import Array, Bool, Float, Int

from fvjax.metrics.ground_truth import GroundTruth
from fvjax.models.model import Model
from fvjax.pytree import dataclass
from fvjax.reference.distances import ReferenceDistribution
from fvjax.types import Image, Scalar


@dataclass
class SharedMetricInputs:
    """Shared by all jobs of a layer."""

    reference: ReferenceDistribution | None = None  # of reference images
    truth: GroundTruth | None = None  # of a planted model
    judge: Model | None = None  # another network, to read the pictures


@dataclass
class Concept:
    """One class of a judge: its logit, and those of the classes that exclude it."""

    index: Int[Array, ""]
    rivals: Bool[Array, "logits"]  # itself among them


def transfer(judge: Model, image: Image, concept: Concept) -> Scalar:
    """The judge's probability of the class: softmax over the classes that exclude each other."""
    return _probabilities(judge, image, concept)[concept.index]


def ambiguity(judge: Model, image: Image, concept: Concept) -> Scalar:
    """How many of these classes the judge reads: exp of the entropy of their probabilities."""
    return jnp.exp(jnp.sum(entr(_probabilities(judge, image, concept))))


def _probabilities(judge: Model, image: Image, concept: Concept) -> Float[Array, "logits"]:
    logits = judge(image)["logits"]
    return jax.nn.softmax(jnp.where(concept.rivals, logits, -jnp.inf))


@dataclass
class JobMetricInputs:
    """Of one job."""

    whitened: Float[Array, "channels"] | None = None  # the direction in `natural`'s whitened space
    feature: Array | None = None  # the planted feature that it stands for
    concept: Concept | None = None  # the judge's class that it stands for
