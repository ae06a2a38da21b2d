"""What a job's picture is measured against, and which metrics it can have."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from fvjax.direction import Direction
from fvjax.metrics.context import Concept, Marks, Yardsticks
from fvjax.metrics.ground_truth import Truth
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import Natural
from fvjax.reference.distances import Gauge
from fvjax.sources import Sourced
from sweeps.planning.ground_truth import truth_of
from sweeps.results.table import METRICS

SCORES = ("first_score", "score")  # there without measuring
_OF_TRUTH = ("purity", "margin", "recovered", "strength", "decoys")


def yardsticks(
    plain: Mapping[str, Any],
    model: Model,
    sourced: Sourced,
    natural: Natural | None,
    judge: Model | None,
) -> tuple[Yardsticks, Marks]:
    """Those that all jobs of the layer share (the same object each time), and the job's own."""
    layer, direction = sourced.direction.layer, sourced.direction
    gauge, whitened, feature = None, None, None
    if natural is not None:
        gauge = natural.gauge(layer, plain["position"] == "center")
        if isinstance(direction, Direction) and direction.vector.ndim == 1:
            frame = natural.whitening(layer, "cross_validated")
            moved = frame.coordinates(np.asarray(direction.vector), sourced.kind)
            whitened = jnp.asarray(moved, jnp.float32)
    truth = truth_of(plain, model)
    if truth is not None and sourced.feature is not None:
        feature = jnp.asarray(sourced.feature, jnp.int32)
    concept = None if judge is None else concept_of(judge, sourced.concept)
    shared = _shared(gauge, truth, None if concept is None else judge)
    return shared, Marks(whitened=whitened, feature=feature, concept=concept)


@cache
def _shared(gauge: Gauge | None, truth: Truth | None, judge: Model | None) -> Yardsticks:
    return Yardsticks(natural=gauge, truth=truth, judge=judge)


def concept_of(judge: Model, name: str | None) -> Concept | None:
    """The judge's class of a label such as "texture=stripes", or "class=13" where it has no names.

    Classes with names exclude each other where these begin alike; others all do.
    """
    if name is None:
        return None
    (logits,) = judge.layers["logits"]
    head, _, value = name.partition("=")
    if judge.classes:
        if name not in judge.classes:
            return None
        index = judge.classes.index(name)
        rivals = [other.partition("=")[0] == head for other in judge.classes]
    elif head == "class" and value.isdecimal() and int(value) < logits:
        index, rivals = int(value), [True] * logits
    else:
        return None
    return Concept(index=jnp.asarray(index, jnp.int32), rivals=jnp.asarray(rivals))


def metrics_of(
    model: Model, sourced: Sourced, natural: Natural | None, judge: Model | None
) -> list[str]:
    """The metrics that this direction can have."""
    absent = set()
    if sourced.channel is None:
        absent.add("rank")
    if sourced.kind == "covector":
        absent.add("inversion_error")
    if model.previous(sourced.direction.layer) is None:
        absent |= {"previous_l1", "previous_l2"}
    if sourced.natural is None:
        absent |= {"natural_z", "natural_percentile", "natural_ratio", "differential"}
    if natural is None:
        absent |= {"excitation", "whitened_cosine", "mahalanobis"}
    if sourced.feature is None:
        absent |= {name for name in METRICS if name in _OF_TRUTH or name.startswith("paper_")}
    if sourced.feature is None or natural is None:
        absent |= {name for name in METRICS if name.startswith("dataset_")}
    if natural is None or not natural.reference.heads:
        absent |= {"class_distance", "centroid_margin"}
    if judge is None or concept_of(judge, sourced.concept) is None:
        absent |= {"transfer", "ambiguity"}
    return [name for name in METRICS if name not in absent]
