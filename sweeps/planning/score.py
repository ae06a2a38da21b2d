"""From a composed config to the score of a job: objective - weight * penalty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hydra.utils import instantiate

import fvjax
from fvjax import checks
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective, parts
from fvjax.reference.activation_statistics import ReferenceStatistics, require_reference
from fvjax.sources import DirectionInfo
from fvjax.spaces import Plain, Space, whiten

_UNITS = ("raw", "reference_std", "balanced")


def score_for(
    cfg: Mapping[str, Any],
    model: Model,
    info: DirectionInfo,
    reference: ReferenceStatistics | None,
    space: Space,
) -> tuple[Objective, Model]:
    """The score, at the centre position if asked for, and the model with the layers it reads.

    Args:
        cfg: the resolved config.
        model: with the layers of the space.
        info: the direction, in the cfg space.
        natural: reference images, if there are any.
        space: in which the objective looks.
    """
    score = space.objective(_objective(cfg, info, reference, space))
    penalty = dict(cfg["penalty"])
    if penalty:
        weight, unit = penalty.pop("weight"), penalty.pop("unit")
        checks.not_negative("penalty.weight", weight)
        checks.choice("penalty.unit", unit, _UNITS)
        model = _whitened(penalty, model, info, reference)
        name_layer(penalty, model, info)
        term: Objective = instantiate(penalty)
        if unit == "reference_std":
            term = _in_reference_std(
                term, info, require_reference("penalty.unit=reference_std", reference)
            )
        if unit == "balanced":
            score = score - fvjax.Balanced(weight=weight, penalty=term)
        else:
            score = score - weight * term
    centered = cfg["position"] == "center"
    return (fvjax.AtCenter(objective=score) if centered else score), model


def _objective(
    cfg: Mapping[str, Any], info: DirectionInfo, reference: ReferenceStatistics | None, space: Space
) -> Objective:
    config, direction = dict(cfg["objective"]), info.direction
    if config["_target_"] == "fvjax.Differential":
        known = require_reference("objective=differential", reference)
        if not isinstance(space, Plain):
            raise ValueError("objective=differential is defined for space=cfg only")
        if info.reference is None:
            raise ValueError("objective=differential needs one direction for all images of a job")
        statistics = known.statistics(direction.layer)
        rows = statistics.centers if cfg["position"] == "center" else statistics.means
        return fvjax.Differential(along=float(info.reference.std()), stddev=rows.std(0))
    score: Objective = instantiate(config)
    if info.kind == "covector" and any(isinstance(p, fvjax.Inversion) for p in parts(score)):
        raise ValueError(
            "objective=inversion needs a direction with a length of its own, such as a photo's; "
            f"{info.label} is a unit of the network and has none"
        )
    return score


def _whitened(
    penalty: dict[str, Any],
    model: Model,
    info: DirectionInfo,
    reference: ReferenceStatistics | None,
) -> Model:
    """The model with the whitened layer, where the penalty reads one."""
    if "shrinkage" not in penalty:
        return model
    shrinkage, layer = penalty.pop("shrinkage"), info.direction.layer
    penalty["layer"] = f"{layer}@whitened"
    if penalty["layer"] in model.layers:  # the space's own
        return model
    return whiten(model, require_reference("penalty=mahalanobis", reference), layer, shrinkage)


def name_layer(penalty: dict[str, Any], model: Model, info: DirectionInfo) -> None:
    """The layer before the direction's, where none is named."""
    if "layer" not in penalty:
        return
    if penalty["layer"] is None:
        penalty["layer"] = model.previous(info.direction.layer)
        if penalty["layer"] is None:
            raise ValueError(f"no layer comes before {info.direction.layer!r}: name penalty.layer")
    checks.choice("penalty.layer", penalty["layer"], model.layers)


def _in_reference_std(
    term: Objective, info: DirectionInfo, reference: ReferenceStatistics
) -> Objective:
    """The penalty over the reference images' standard deviation in its layer.

    For a norm over channels, the root of the summed variances; for a mean over them, of the mean.
    """
    match term:
        case fvjax.OrthogonalNorm(squared=squared):
            layer, whole, power = info.direction.layer, True, 2 if squared else 1
        case fvjax.ActivationNorm() | fvjax.IrrelevantNorm():
            layer, whole, power = term.layer, False, term.order
        case _:
            name = type(term).__name__
            raise ValueError(
                f"penalty.unit=reference_std is for penalties on activations, not {name}"
            )
    variances = np.diag(reference.statistics(layer.partition("@")[0]).covariance)
    variance = float(variances.sum() if whole else variances.mean())
    if not variance > 0:
        raise ValueError(f"layer {layer!r} never varies on the reference images: no reference_std")
    return fvjax.Scaled(weight=variance ** (-power / 2), objective=term)
