"""From a composed config to a task: a model, a job, and the columns that describe it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import fvjax
from fvjax import checks
from fvjax.models.model import Model
from fvjax.objective import Objective, parts
from fvjax.recipe import Job, Recipe
from fvjax.sources import Source, Sourced

_POSITIONS = ("all", "center")
_PRECISIONS = ("float32",)
_LEAST_SIZE = 16  # pixels


@dataclass(frozen=True)
class Task:
    """One job of a sweep, ready to run."""

    model: Model
    job: Job
    sourced: Sourced  # the original direction, in the plain space
    headline: str
    job_id: str  # hash of the resolved config
    columns: dict[str, Any]  # the config as columns of the table


def build(config: DictConfig) -> Task:
    """The task of one composed config; raises ValueError in one sentence for whatever is wrong."""
    choices = {str(k): v for k, v in config.hydra.runtime.choices.items()}
    plain = _plain(config)
    checks.choice("position", plain["position"], _POSITIONS)
    checks.choice("precision", plain["precision"], _PRECISIONS)
    checks.count("size", plain["size"], _LEAST_SIZE)
    checks.count("seed", plain["seed"], least=0)
    model = _model(json.dumps(plain["model"], sort_keys=True))
    layer, size = plain["layer"], plain["size"]
    checks.choice("layer", layer, model.layers)
    _fits(model, size)
    source: Source = instantiate(plain["direction"])
    sourced = source(model, layer, size)
    recipe = Recipe(
        objective=_score(plain, model, sourced),
        parameterization=instantiate(plain["parameterization"], size=size),
        transform=instantiate(plain["transform"]),
        learning_rate=plain["learning_rate"],
        steps=plain["steps"],
        optimizer=plain["optimizer"]["name"],
    )
    key = jax.random.key(plain["seed"])
    job = leaves(Job(recipe=recipe, direction=sourced.direction, key=key))
    dump = json.dumps([choices_of(plain, choices), plain], sort_keys=True)
    job_id = hashlib.sha256(dump.encode()).hexdigest()[:16]
    return Task(model, job, sourced, plain["metrics"]["headline"], job_id, columns(plain, choices))


def leaves(job: Job) -> Job:
    """The job with every plain number cast to a float32: 3, 3.0 and float32(3) are one program."""
    cast: Job = jax.tree.map(lambda x: np.float32(x) if isinstance(x, (int, float)) else x, job)
    return cast


def choices_of(plain: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The chosen option of each config group that the config holds."""
    return {group: choices.get(group) for group, node in plain.items() if isinstance(node, dict)}


def columns(plain: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The config as columns: a group's holds its option, its keys are <group>_<key>."""
    row: dict[str, Any] = {}
    for key, value in plain.items():
        if not isinstance(value, dict):
            row[key] = _cell(value)
            continue
        row[key] = choices.get(key)
        inner = {k: v for k, v in value.items() if k != "_target_"}
        row |= {f"{key}_{k}": _cell(v) for k, v in inner.items()}
    return row


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _plain(config: DictConfig) -> dict[str, Any]:
    """The config without `hydra`, resolved, as plain Python values."""
    task = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
    plain = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return plain  # type: ignore[return-value]


@lru_cache(maxsize=8)
def _model(config: str) -> Model:
    """The model of a config (as JSON), loaded once: equal configs share weights and programs."""
    node = json.loads(config)
    model = instantiate({k: v for k, v in node.items() if k not in ("default_layer", "size")})
    if not isinstance(model, Model):
        raise ValueError(f"model {node['_target_']} must return a fvjax.Model, got {type(model)}")
    return model


def _fits(model: Model, size: int) -> None:
    try:
        shapes = model.shapes((size, size))
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the network cannot take images of size {size}: {reason}") from error
    for name, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"size {size} is too small: layer {name!r} would be empty")


def _score(plain: Mapping[str, Any], model: Model, sourced: Sourced) -> Objective:
    """objective - weight * penalty, at the centre position if asked for."""
    score: Objective = instantiate(plain["objective"])
    if sourced.kind == "covector" and any(isinstance(p, fvjax.Inversion) for p in parts(score)):
        raise ValueError(
            "objective=inversion needs a direction with a length of its own, such as a photo's; "
            f"{sourced.label} is a unit of the network and has none"
        )
    penalty = dict(plain["penalty"])
    weight = penalty.pop("weight")
    checks.not_negative("penalty.weight", weight)
    if "_target_" in penalty:
        if "layer" in penalty and penalty["layer"] is None:
            penalty["layer"] = model.previous(sourced.direction.layer)
            if penalty["layer"] is None:
                raise ValueError(
                    f"no layer comes before {sourced.direction.layer!r}: name penalty.layer"
                )
        if "layer" in penalty:
            checks.choice("penalty.layer", penalty["layer"], model.layers)
        score = score - weight * instantiate(penalty)
    return fvjax.AtCenter(objective=score) if plain["position"] == "center" else score
