"""From a composed config to a task: a model, a job, and the columns that describe it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import fvjax
from fvjax import checks
from fvjax.models.model import Model
from fvjax.objective import Objective, parts
from fvjax.recipe import Job, Recipe
from fvjax.sources import Source, Sourced
from sweeps.execute import leaves
from sweeps.files import content
from sweeps.images import arguments
from sweeps.table import COLUMNS, METRICS

_POSITIONS = ("all", "center")
_SCORES = ("first_score", "score")
_LEAST_SIZE = 16  # pixels


@dataclass(frozen=True)
class Task:
    """One job of a sweep, ready to run."""

    model: Model
    job: Job
    sourced: Sourced  # the original direction, in the plain space
    headline: str
    measured: bool  # all metrics, not only the score
    job_id: str  # hash of the resolved config and of the files that it names
    columns: dict[str, Any]  # the config as columns of the table


def build(config: DictConfig) -> Task:
    """The task of one composed config; raises ValueError in one sentence for whatever is wrong."""
    choices = {str(k): v for k, v in config.hydra.runtime.choices.items()}
    plain = _plain(config)
    checks.choice("position", plain["position"], _POSITIONS)
    checks.count("size", plain["size"], _LEAST_SIZE)
    checks.count("seed", plain["seed"], least=0, most=checks.MOST_SEED)
    model = _model(json.dumps(plain["model"], sort_keys=True), plain["precision"])
    layer, size = plain["layer"], plain["size"]
    checks.choice("layer", layer, model.layers)
    _fits(model, size)
    source: Source = instantiate(plain["direction"])
    sourced = source(model, layer, size)
    _looks_there(plain, sourced)
    headline, measured = plain["metrics"]["headline"], plain["metrics"]["measured"]
    checks.boolean("metrics.measured", measured)
    there = _metrics_of(model, sourced) if measured else _SCORES
    checks.choice("metrics.headline", headline, there)
    recipe = Recipe(
        objective=_score(plain, model, sourced),
        parameterization=instantiate(arguments(plain["parameterization"], size), size=size),
        transform=instantiate(plain["transform"]),
        learning_rate=plain["learning_rate"],
        steps=plain["steps"],
        optimizer=plain["optimizer"]["name"],
    )
    key = jax.random.key(plain["seed"])
    job = leaves(Job(recipe=recipe, direction=sourced.direction, key=key))
    job_id = identity([choices_of(plain, choices), plain])
    return Task(model, job, sourced, headline, measured, job_id, columns(plain, choices))


def identity(config: Any) -> str:
    """A hash by which equal jobs are known: 2 is 2.0, files and folders are what they hold."""

    def canonical(value: Any) -> Any:
        match value:
            case dict():
                return {key: canonical(item) for key, item in value.items()}
            case list():
                return [canonical(item) for item in value]
            case str() if value and (found := content(value)) is not None:
                return [value, found]
            case int() | float() if not isinstance(value, bool):
                return float(value)
        return value

    return hashlib.sha256(json.dumps(canonical(config), sort_keys=True).encode()).hexdigest()[:16]


def choices_of(plain: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The chosen option of each config group that the config holds."""
    return {group: choices.get(group) for group, node in plain.items() if isinstance(node, dict)}


def columns(plain: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The config as columns: a group's holds its option, its keys are <group>_<key>.

    Raises:
        ValueError: a key of the user's whose column is taken.
    """
    cells: list[tuple[str, str, Any]] = []  # column, key, value
    for key, value in plain.items():
        if not isinstance(value, dict):
            cells.append((key, key, _cell(value)))
            continue
        cells.append((key, key, choices.get(key)))
        inner = {k: v for k, v in value.items() if k != "_target_"}
        if choices.get(key) == "custom":  # what it is, its target alone says
            inner["target"] = value["_target_"]
        cells += [(f"{key}_{k}", f"{key}.{k}", _cell(v)) for k, v in inner.items()]
    row: dict[str, Any] = {}
    for column, key, value in cells:
        if column in row or column in COLUMNS or column == "sweep":
            raise ValueError(f"the table has a column {column!r} already: call {key} otherwise")
        row[column] = value
    return row


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _plain(config: DictConfig) -> dict[str, Any]:
    """The config without `hydra`, resolved, as plain Python values."""
    task = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
    plain = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return plain  # type: ignore[return-value]


@cache
def _model(config: str, precision: str) -> Model:
    """The model of a config (as JSON), loaded once: equal configs share weights and programs."""
    node = json.loads(config)
    model = instantiate({k: v for k, v in node.items() if k not in ("default_layer", "size")})
    if not isinstance(model, Model):
        raise ValueError(f"model {node['_target_']} must return a fvjax.Model, got {type(model)}")
    return model.in_precision(precision)


def _fits(model: Model, size: int) -> None:
    try:
        shapes = model.shapes((size, size))
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the network cannot take images of size {size}: {reason}") from error
    for name, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"size {size} is too small: layer {name!r} would be empty")


def _looks_there(plain: Mapping[str, Any], sourced: Sourced) -> None:
    """Refuse a layer that the direction, which names its own, does not look at."""
    layer, own = plain["layer"], sourced.direction.layer
    if layer not in (own, plain["model"]["default_layer"]):
        raise ValueError(
            f"direction.layer={own} decides where to look, layer={layer} does not: leave it out"
        )


def _metrics_of(model: Model, sourced: Sourced) -> list[str]:
    """The metrics that this direction can have."""
    absent = set()
    if sourced.channel is None:
        absent.add("rank")
    if sourced.kind == "covector":
        absent.add("inversion_error")
    if model.previous(sourced.direction.layer) is None:
        absent |= {"previous_l1", "previous_l2"}
    return [name for name in METRICS if name not in absent]


def _score(plain: Mapping[str, Any], model: Model, sourced: Sourced) -> Objective:
    """objective - weight * penalty, at the centre position if asked for."""
    score: Objective = instantiate(plain["objective"])
    if sourced.kind == "covector" and any(isinstance(p, fvjax.Inversion) for p in parts(score)):
        raise ValueError(
            "objective=inversion needs a direction with a length of its own, such as a photo's; "
            f"{sourced.label} is a unit of the network and has none"
        )
    penalty = dict(plain["penalty"])
    if penalty:
        weight = penalty.pop("weight")
        checks.not_negative("penalty.weight", weight)
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
