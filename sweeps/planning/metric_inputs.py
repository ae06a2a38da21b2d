"""The inputs of a job's metrics, and the metrics that apply to its direction."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from fvjax.direction import Direction
from fvjax.metrics.context import Concept, JobMetricInputs, SharedMetricInputs
from fvjax.metrics.ground_truth import GroundTruth
from fvjax.models.class_names import match_class
from fvjax.models.model import Model
from fvjax.reference.distances import ReferenceDistribution
from fvjax.sources import DirectionInfo, Setup
from sweeps.planning.ground_truth import truth_of
from sweeps.planning.pieces import make, objective_of
from sweeps.results.table import COLUMNS, METRICS

log = logging.getLogger(__name__)

SCORES = ("initial_score", "final_score")  # known without measuring
_OF_PROJECTIONS = ("reference_z", "reference_percentile", "reference_ratio", "differential")
_OF_REFERENCE = ("excitation", "whitened_cosine", "mahalanobis")
_OF_LABELS = ("class_distance", "centroid_margin")
_OF_TRUTH = (
    *("purity", "margin", "recovered", "strength", "decoys"),
    *("grating_purity", "grating_strength"),
)


def metric_inputs(
    cfg: Mapping[str, Any], setup: Setup, info: DirectionInfo
) -> tuple[SharedMetricInputs, JobMetricInputs]:
    """Return the inputs that all jobs of a layer share (the same object each time), and the job's.

    Args:
        cfg: the resolved config.
        setup: the setup of the job, with its judge.
        info: the job's direction.
    """
    layer, direction, judge = info.direction.layer, info.direction, setup.judge
    reference = setup.reference
    distribution, whitened, feature = None, None, None
    if reference is not None:
        distribution = reference.distribution(layer, setup.position)
        if isinstance(direction, Direction) and direction.vector.ndim == 1:
            affine_map = reference.whitening(layer, "cross_validated")
            mapped = affine_map(np.asarray(direction.vector), info.kind)
            whitened = jnp.asarray(mapped, jnp.float32)
    truth = truth_of(cfg, setup)
    if truth is not None and info.feature is not None:
        feature = jnp.asarray(info.feature, jnp.int32)
    concept = None if judge is None else concept_of(judge, info.concept)
    own = json.dumps(own_metrics(cfg["metrics"]), sort_keys=True)
    shared = _shared(distribution, truth, None if concept is None else judge, own)
    return shared, JobMetricInputs(whitened=whitened, feature=feature, concept=concept)


@cache
def _shared(
    distribution: ReferenceDistribution | None,
    truth: GroundTruth | None,
    judge: Model | None,
    own: str,
) -> SharedMetricInputs:
    made = {
        name: objective_of(make(node), node, f"metrics.{name}")
        for name, node in json.loads(own).items()
    }
    return SharedMetricInputs(reference=distribution, truth=truth, judge=judge, own=made or None)


def own_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's metrics in the config group `metrics`: keys whose values have a target.

    Raises:
        ValueError: a metric of that name exists, or the table has such a column.
    """
    own = {k: v for k, v in metrics.items() if isinstance(v, Mapping) and "_target_" in v}
    for name in own:
        if name in COLUMNS:
            raise ValueError(
                f"the table has a column {name!r} already: call metrics.{name} otherwise"
            )
    return own


def concept_of(judge: Model, name: str | None) -> Concept | None:
    """Return the judge's class of a name, or of "class=13" where the judge has no names.

    Classes of one attribute, such as "texture=stripes", exclude each other. Classes without an
    attribute all exclude each other. None if the judge has no such class.
    """
    if name is None:
        return None
    (logits,) = judge.layers["logits"]
    attribute, _, value = name.partition("=")
    if judge.classes:
        found = match_class(judge.classes, name)
        if found is None:
            return None
        attributes = [other.rpartition("=")[0] for other in judge.classes]
        index, rivals = found, [other == attributes[found] for other in attributes]
    elif attribute == "class" and value.isdecimal() and int(value) < logits:
        index, rivals = int(value), [True] * logits
    else:
        return None
    return Concept(index=jnp.asarray(index, jnp.int32), rivals=jnp.asarray(rivals))


@cache
def note_missing_reference() -> None:
    """Log, once in a process, which columns are null where there are no reference images."""
    names = ", ".join((*_OF_PROJECTIONS, *_OF_REFERENCE, *_OF_LABELS))
    log.info(
        f"no reference images, so these columns are null: {names}; reference_images=generated or "
        "reference_images=FOLDER fills them"
    )


def applicable_metrics(setup: Setup, info: DirectionInfo) -> list[str]:
    """Return the metrics that this direction can have."""
    reference, judge = setup.reference, setup.judge
    absent = set()
    if info.channel is None:
        absent.add("rank")
    if info.kind == "covector":
        absent.add("inversion_error")
    if setup.model.previous(info.direction.layer) is None:
        absent |= {"previous_l1", "previous_l2"}
    if info.reference_projections is None:
        absent |= set(_OF_PROJECTIONS)
    if reference is None:
        absent |= set(_OF_REFERENCE)
    if info.feature is None:
        absent |= {name for name in METRICS if name in _OF_TRUTH or name.startswith("optimum_")}
    if info.feature is None or reference is None:
        absent |= {name for name in METRICS if name.startswith("best_reference_")}
    if reference is None or not reference.images.attributes:
        absent |= set(_OF_LABELS)
    if judge is None or concept_of(judge, info.concept) is None:
        absent |= {"transfer", "ambiguity"}
    return [name for name in METRICS if name not in absent]
