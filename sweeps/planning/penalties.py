"""The penalties of a job from its config: weight * penalty for each option."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import fvjax
from fvjax import checks
from fvjax.direction import SPACE, base
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources import DirectionInfo, Setup
from fvjax.spaces import whiten
from sweeps.config.several import GROUP, nodes_of
from sweeps.planning.parameterization import photograph
from sweeps.planning.pieces import make, objective_of

_UNITS = ("raw", "reference_std", "balanced")


def penalties_of(
    cfg: Mapping[str, Any], setup: Setup, info: DirectionInfo
) -> tuple[list[Objective], Model]:
    """Return the weighted penalties, and the model with the layers that they read.

    Args:
        cfg: the resolved config.
        setup: the setup of the job, whose model has the layers of the space.
        info: the direction, in the network's own space.
    """
    model, terms = setup.model, []
    for key, node in nodes_of(cfg[GROUP]).items():
        weight, unit = node.pop("weight"), node.pop("unit")
        checks.not_negative(f"{key}.weight", weight)
        checks.choice(f"{key}.unit", unit, _UNITS)
        model = _whitened(node, model, setup, info)
        name_layer(node, model, info, key)
        arguments = _photograph(cfg, node, setup, key)
        term = objective_of(make(node, **arguments), node, key)
        if unit == "reference_std":
            reference = setup.require_reference(f"{key}.unit=reference_std")
            term = _in_reference_std(term, info, reference)
        balanced = unit == "balanced"
        terms.append(fvjax.Balanced(weight=weight, penalty=term) if balanced else weight * term)
    return terms, model


def _photograph(
    cfg: Mapping[str, Any], penalty: dict[str, Any], setup: Setup, key: str
) -> dict[str, Any]:
    """Return the photograph of an anchor: that of its path, or the one that the image starts at."""
    if penalty["_target_"] != "fvjax.Anchor":
        return {}
    path = penalty.pop("path") or cfg["parameterization"].get("start")
    if not isinstance(path, str):
        raise ValueError(
            "penalty=anchor needs a photograph: give parameterization.start=PHOTO, or "
            f"{key}.path=PHOTO"
        )
    return {"image": photograph(path, setup.image_size)}


def _whitened(penalty: dict[str, Any], model: Model, setup: Setup, info: DirectionInfo) -> Model:
    """Return the model with the whitened layer, if the penalty reads one."""
    if "shrinkage" not in penalty:
        return model
    shrinkage, layer = penalty.pop("shrinkage"), info.direction.layer
    penalty["layer"] = f"{layer}{SPACE}whitened"
    if penalty["layer"] in model.layers:  # the space's own
        return model
    reference = setup.require_reference("penalty=mahalanobis")
    return whiten(model, reference, layer, shrinkage)


def name_layer(
    penalty: dict[str, Any], model: Model, info: DirectionInfo, key: str = GROUP
) -> None:
    """Set the layer of a penalty that names none to the layer before the direction's."""
    if "layer" not in penalty:
        return
    if penalty["layer"] is None:
        penalty["layer"] = model.previous(info.direction.layer)
        if penalty["layer"] is None:
            raise ValueError(f"no layer comes before {info.direction.layer!r}: name {key}.layer")
    model.require_layer(penalty["layer"], f"{key}.layer")


def _in_reference_std(
    term: Objective, info: DirectionInfo, reference: ReferenceStatistics
) -> Objective:
    """Divide a penalty by the reference images' standard deviation in its layer.

    A norm over channels is divided by the root of the summed variances, a mean over channels by
    the root of the mean variance.
    """
    match term:
        case fvjax.OrthogonalNorm(squared=squared):
            layer, is_norm, power = info.direction.layer, True, 2 if squared else 1
        case fvjax.ActivationNorm() | fvjax.IrrelevantNorm():
            layer, is_norm, power = term.layer, False, term.order
        case _:
            raise ValueError(
                "penalty.unit=reference_std is for penalties on activations, not "
                f"{type(term).__name__}"
            )
    variances = np.diag(reference.statistics(base(layer)).covariance)
    variance = float(variances.sum() if is_norm else variances.mean())
    if not variance > 0:
        raise ValueError(f"layer {layer!r} never varies on the reference images: no reference_std")
    return fvjax.Scaled(weight=variance ** (-power / 2), objective=term)
