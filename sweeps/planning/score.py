"""The score of a job from its config: the objective less its penalties."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hydra.utils import instantiate

import fvjax
from fvjax import checks
from fvjax.direction import AnyDirection, Direction
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective, parts
from fvjax.sources import DirectionInfo, Setup
from fvjax.spaces import Space
from sweeps.planning.joint import Joint
from sweeps.planning.penalties import penalties_of
from sweeps.planning.pieces import make, objective_of
from sweeps.planning.referenced import completed


@dataclass(frozen=True)
class Score:
    """What a job maximises.

    Attributes:
        objective: the objective less the penalties.
        model: the network, with the layers that the objective reads.
        direction: the direction in the space of the objective.
    """

    objective: Objective
    model: Model
    direction: AnyDirection


def score_for(cfg: Mapping[str, Any], setup: Setup, info: DirectionInfo) -> Score:
    """Return the score of a resolved config.

    Args:
        cfg: the resolved config.
        setup: the setup of the job.
        info: the direction, in the network's own space.
    """
    space: Space = instantiate(cfg["space"])
    model, direction = space.move(setup, before_relu(cfg, setup.model, info))
    setup = replace(setup, model=model)
    objective = space.objective(_objective(cfg, setup, info, space))
    if sign_of(cfg) < 0:
        objective = -objective
    terms, model = penalties_of(cfg, setup, info)
    for term in terms:
        objective = objective - term
    return Score(objective, model, direction)


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
    found = completed(config, setup, info, space, direction)
    if found is not None:
        return found
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
