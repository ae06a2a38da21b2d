"""The score of a job from its config: objective - weight * penalty."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import fvjax
from fvjax import checks
from fvjax.activations import unit
from fvjax.direction import SPACE, Direction, Interpolation, base
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective, parts
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources import DirectionInfo, Setup
from fvjax.spaces import Plain, Space, whiten
from sweeps.planning.joint import Joint
from sweeps.planning.pieces import make, objective_of

_UNITS = ("raw", "reference_std", "balanced")


def score_for(
    cfg: Mapping[str, Any], setup: Setup, info: DirectionInfo, space: Space
) -> tuple[Objective, Model]:
    """Return the score, and the model with the layers that it reads.

    Args:
        cfg: the resolved config.
        setup: the setup of the job, whose model has the layers of the space.
        info: the direction, in the network's own space.
        space: the space that the objective reads.
    """
    model = setup.model
    score = space.objective(_objective(cfg, setup, info, space))
    if sign_of(cfg) < 0:
        score = -score
    penalty = dict(cfg["penalty"])
    if penalty:
        weight, unit = penalty.pop("weight"), penalty.pop("unit")
        checks.not_negative("penalty.weight", weight)
        checks.choice("penalty.unit", unit, _UNITS)
        model = _whitened(penalty, setup, info)
        name_layer(penalty, model, info)
        term = objective_of(make(penalty), penalty, "penalty")
        if unit == "reference_std":
            reference = setup.require_reference("penalty.unit=reference_std")
            term = _in_reference_std(term, info, reference)
        if unit == "balanced":
            score = score - fvjax.Balanced(weight=weight, penalty=term)
        else:
            score = score - weight * term
    return score, model


def sign_of(cfg: Mapping[str, Any]) -> int:
    """Return 1 to maximise or -1 to minimise; options of users need no key `sign`."""
    sign = cfg["objective"].get("sign", 1)
    checks.choice("objective.sign", sign, (1, -1))
    return int(sign)


def before_relu(cfg: Mapping[str, Any], model: Model, info: DirectionInfo) -> DirectionInfo:
    """Return the direction as the objective reads it: for sign -1 before the layer's ReLU.

    After a ReLU nothing lies below 0. Metrics still read the original direction. A layer without
    `<layer>_pre_relu`, a caricature and an interpolation stay.
    """
    direction, layer = info.direction, f"{info.direction.layer}_pre_relu"
    if sign_of(cfg) > 0 or layer not in model.layers or not isinstance(direction, Direction):
        return info
    return replace(info, direction=replace(direction, layer=layer, origin=direction))


def _objective(
    cfg: Mapping[str, Any], setup: Setup, info: DirectionInfo, space: Space
) -> Objective:
    config, direction = dict(cfg["objective"]), before_relu(cfg, setup.model, info).direction
    config.pop("sign", None)
    if config["_target_"] == "fvjax.Differential":
        reference = setup.require_reference("objective=differential")
        if not isinstance(space, Plain):
            raise ValueError("objective=differential is defined for space=plain only")
        if isinstance(direction, Interpolation):
            raise ValueError("objective=differential needs one direction for all images of a job")
        rows = reference.rows(direction.layer, setup.position)
        if rows is None or info.reference_projections is None:
            raise ValueError("objective=differential needs position=all or position=center")
        along = float(info.reference_projections.std())
        if direction.layer != info.direction.layer and isinstance(direction, Direction):
            along = float((rows @ np.asarray(unit(direction.vector))).std())
        return fvjax.Differential(along=along, stddev=rows.std(0))
    made = make(config)
    if isinstance(made, Joint):
        return made.resolve(setup, info)
    score = objective_of(made, config, "objective")
    if info.kind == "covector" and any(isinstance(p, fvjax.Inversion) for p in parts(score)):
        raise ValueError(
            "objective=inversion needs a direction with a length of its own, such as a photo's; "
            f"{info.label} is a unit of the network and has none"
        )
    return score


def _whitened(penalty: dict[str, Any], setup: Setup, info: DirectionInfo) -> Model:
    """Return the model with the whitened layer, if the penalty reads one."""
    if "shrinkage" not in penalty:
        return setup.model
    shrinkage, layer = penalty.pop("shrinkage"), info.direction.layer
    penalty["layer"] = f"{layer}{SPACE}whitened"
    if penalty["layer"] in setup.model.layers:  # the space's own
        return setup.model
    reference = setup.require_reference("penalty=mahalanobis")
    return whiten(setup.model, reference, layer, shrinkage)


def name_layer(penalty: dict[str, Any], model: Model, info: DirectionInfo) -> None:
    """Set the layer of a penalty that names none to the layer before the direction's."""
    if "layer" not in penalty:
        return
    if penalty["layer"] is None:
        penalty["layer"] = model.previous(info.direction.layer)
        if penalty["layer"] is None:
            raise ValueError(f"no layer comes before {info.direction.layer!r}: name penalty.layer")
    model.require_layer(penalty["layer"], "penalty.layer")


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
