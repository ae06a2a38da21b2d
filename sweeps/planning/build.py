"""From a composed config to a task: a model, a job, and the columns that describe it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fvjax import checks
from fvjax.direction import FromImage, Interpolation
from fvjax.models.model import Model
from fvjax.optimization.recipe import Job, Recipe
from fvjax.reference.activation_statistics import Natural
from fvjax.reference.moments import forward
from fvjax.sources import Source, Sourced
from fvjax.spaces import Space
from sweeps.config.columns import choices_of, columns, identity
from sweeps.config.paths import CONF
from sweeps.config.validate import OF_ENVIRONMENT, as_chosen, whole
from sweeps.execution.batched import leaves
from sweeps.planning.metric_inputs import SCORES, metrics_of, yardsticks
from sweeps.planning.parameterization import arguments
from sweeps.planning.reference import natural_of
from sweeps.planning.score import name_layer, score_for
from sweeps.planning.statistics_file import Collected
from sweeps.task import Task

log = logging.getLogger(__name__)

_POSITIONS = ("all", "center")
_SIZES = 16, 4096  # pixels; of the latter, Adam alone keeps 400 MB
# Of a model's config, for other keys to take up.
_OF_SWEEP = ("default_layer", "size", "images", "judge")


def build(config: DictConfig) -> Task:
    """The task of one composed config; raises ValueError in one sentence for whatever is wrong."""
    choices = {str(k): v for k, v in config.hydra.runtime.choices.items()}
    plain, model, natural = environment(config)
    whole(plain)
    size = plain["size"]
    checks.choice("layer", plain["layer"], model.layers)
    checks.choice("position", plain["position"], _POSITIONS)
    checks.count("seed", plain["seed"], least=0, most=checks.MOST_SEED)
    sourced = _sourced(plain, model, natural)
    headline, measured = plain["metrics"]["headline"], plain["metrics"]["measured"]
    checks.boolean("metrics.measured", measured)
    judge = _judge(plain)
    there = metrics_of(model, sourced, natural, judge) if measured else SCORES
    checks.choice("metrics.headline", headline, there)
    space: Space = instantiate(plain["space"])
    moved, direction = space.move(model, sourced, natural)
    objective, moved = score_for(plain, moved, sourced, natural, space)
    recipe = Recipe(
        objective=objective,
        parameterization=instantiate(arguments(plain["parameterization"], size), size=size),
        transform=instantiate(plain["transform"]),
        learning_rate=plain["learning_rate"],
        steps=plain["steps"],
        optimizer=plain["optimizer"]["name"],
        images=plain["images_per_job"],
    )
    key = jax.random.key(plain["seed"])
    job = leaves(Job(recipe=recipe, direction=direction, key=key))
    measures: dict[str, Any] = {}
    if measured:
        shared, own = yardsticks(plain, model, sourced, natural, judge)
        measures = {"yardsticks": shared, "marks": own}
    job_id = identity([choices_of(plain, choices), _resolved(plain, model, sourced)])
    return Task(
        model=moved,
        job=job,
        sourced=sourced,
        measured=measured,
        headline=headline,
        job_id=job_id,
        columns=columns(plain, choices),
        **measures,
    )


def environment(config: DictConfig) -> tuple[dict[str, Any], Model, Natural | None]:
    """The resolved config, the network that it names, and the reference images through it."""
    plain = _plain(config)
    whole(plain, OF_ENVIRONMENT)
    size = plain["size"]
    checks.count("size", size, *_SIZES)
    as_chosen(plain["model"], config.hydra.runtime.choices["model"])
    model = _model(json.dumps(plain["model"], sort_keys=True), plain["precision"])
    _fits(model, size)
    return plain, model, natural_of(model, plain["images"], plain["image_count"], size)


def _resolved(plain: Mapping[str, Any], model: Model, sourced: Sourced) -> dict[str, Any]:
    """The config with the layers that are looked at, whether they were named or left out."""
    penalty = dict(plain["penalty"])
    name_layer(penalty, model, sourced)
    return {**plain, "layer": sourced.direction.layer, "penalty": penalty}


def _sourced(plain: Mapping[str, Any], model: Model, natural: Natural | None) -> Sourced:
    """The direction, with the reference images' own dot products where there is one."""
    source: Source = instantiate(plain["direction"])
    sourced = source(model, plain["layer"], plain["size"], natural)
    layer, own = plain["layer"], sourced.direction.layer
    if layer not in (own, plain["model"]["default_layer"]):
        raise ValueError(
            f"direction.layer={own} decides where to look, layer={layer} does not: leave it out"
        )
    direction = sourced.direction
    if natural is None or isinstance(direction, Interpolation):
        return sourced
    if isinstance(direction, FromImage):
        vector = forward(model, direction.image[None], (own,))[own][0]
    else:
        vector = direction.vector
    if vector.ndim == 3 and isinstance(natural.reference, Collected):
        return sourced  # images would be needed
    own_dots = natural.projections(own, np.asarray(vector), plain["position"] == "center")
    return replace(sourced, natural=own_dots)


def _judge(plain: Mapping[str, Any]) -> Model | None:
    """The network that reads the pictures, another option of `model`."""
    name = plain["judge"]
    if name is None:
        return None
    checks.choice("judge", name, sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
    node = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"), resolve=True)
    judge = _model(json.dumps(node, sort_keys=True), "float32")
    if "logits" not in judge.layers:
        raise ValueError(f"judge={name} has no logits to read pictures by")
    _fits(judge, plain["size"])
    return judge


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
    model = instantiate({k: v for k, v in node.items() if k not in _OF_SWEEP})
    if not isinstance(model, Model):
        raise ValueError(f"model {node['_target_']} must return a fvjax.Model, got {type(model)}")
    if precision == "tf32" and jax.default_backend() == "cpu":
        log.warning("precision=tf32 is float32 on a CPU")
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
