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
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.reference.moments import forward
from fvjax.sources import DirectionInfo, DirectionSource
from fvjax.spaces import Space
from sweeps.config.columns import choices_of, columns
from sweeps.config.job_id import job_id
from sweeps.config.paths import CONF
from sweeps.config.validate import OF_ENVIRONMENT, check_model_choice, require_keys
from sweeps.execution.batched import leaves
from sweeps.planning.metric_inputs import SCORES, applicable_metrics, metric_inputs
from sweeps.planning.parameterization import arguments
from sweeps.planning.reference import load_reference_statistics
from sweeps.planning.score import name_layer, score_for
from sweeps.planning.statistics_file import Collected
from sweeps.task import Task

log = logging.getLogger(__name__)

_POSITIONS = ("all", "center")
_SIZES = 16, 4096  # pixels; of the latter, Adam alone keeps 400 MB
# Of a model's config, for other keys to take up.
_OF_SWEEP = ("default_layer", "image_size", "reference_images", "judge")


def build(config: DictConfig) -> Task:
    """The task of one composed config; raises ValueError in one sentence for whatever is wrong."""
    choices = {str(k): v for k, v in config.hydra.runtime.choices.items()}
    cfg, model, reference = environment(config)
    require_keys(cfg)
    size = cfg["image_size"]
    checks.choice("layer", cfg["layer"], model.layers)
    checks.choice("position", cfg["position"], _POSITIONS)
    checks.count("seed", cfg["seed"], least=0, most=checks.MOST_SEED)
    info = _direction_info(cfg, model, reference)
    optimized_metric, measured = cfg["metrics"]["optimized_metric"], cfg["metrics"]["enabled"]
    checks.boolean("metrics.enabled", measured)
    judge = _judge(cfg)
    there = applicable_metrics(model, info, reference, judge) if measured else SCORES
    checks.choice("metrics.optimized_metric", optimized_metric, there)
    space: Space = instantiate(cfg["space"])
    moved, direction = space.move(model, info, reference)
    objective, moved = score_for(cfg, moved, info, reference, space)
    recipe = Recipe(
        objective=objective,
        parameterization=instantiate(arguments(cfg["parameterization"], size), image_size=size),
        transform=instantiate(cfg["transform"]),
        learning_rate=cfg["learning_rate"],
        steps=cfg["steps"],
        optimizer=cfg["optimizer"]["name"],
        images_per_job=cfg["images_per_job"],
    )
    key = jax.random.key(cfg["seed"])
    job = leaves(Job(recipe=recipe, direction=direction, key=key))
    measures: dict[str, Any] = {}
    if measured:
        shared, own = metric_inputs(cfg, model, info, reference, judge)
        measures = {"shared_inputs": shared, "job_inputs": own}
    return Task(
        model=moved,
        job=job,
        info=info,
        measured=measured,
        optimized_metric=optimized_metric,
        job_id=job_id(_resolved(cfg, model, info), choices_of(cfg, choices), CONF),
        columns=columns(cfg, choices),
        **measures,
    )


def environment(config: DictConfig) -> tuple[dict[str, Any], Model, ReferenceStatistics | None]:
    """The resolved config, the network that it names, and the reference images through it."""
    cfg = _resolve_config(config)
    require_keys(cfg, OF_ENVIRONMENT)
    size = cfg["image_size"]
    checks.count("image_size", size, *_SIZES)
    check_model_choice(cfg["model"], config.hydra.runtime.choices["model"])
    model = _model(json.dumps(cfg["model"], sort_keys=True), cfg["precision"])
    _fits(model, size)
    return (
        cfg,
        model,
        load_reference_statistics(model, cfg["reference_images"], cfg["reference_count"], size),
    )


def _resolved(cfg: Mapping[str, Any], model: Model, info: DirectionInfo) -> dict[str, Any]:
    """The config with the layers that are looked at, whether they were named or left out."""
    penalty = dict(cfg["penalty"])
    name_layer(penalty, model, info)
    return {**cfg, "layer": info.direction.layer, "penalty": penalty}


def _direction_info(
    cfg: Mapping[str, Any], model: Model, reference: ReferenceStatistics | None
) -> DirectionInfo:
    """The direction, with the reference images' own dot products where there is one."""
    source: DirectionSource = instantiate(cfg["direction"])
    info = source(model, cfg["layer"], cfg["image_size"], reference)
    layer, own = cfg["layer"], info.direction.layer
    if layer not in (own, cfg["model"]["default_layer"]):
        raise ValueError(
            f"direction.layer={own} decides where to look, layer={layer} does not: leave it out"
        )
    direction = info.direction
    if reference is None or isinstance(direction, Interpolation):
        return info
    if isinstance(direction, FromImage):
        vector = forward(model, direction.image[None], (own,))[own][0]
    else:
        vector = direction.vector
    if vector.ndim == 3 and isinstance(reference.images, Collected):
        return info  # images would be needed
    own_dots = reference.projections(own, np.asarray(vector), cfg["position"] == "center")
    return replace(info, reference=own_dots)


def _judge(cfg: Mapping[str, Any]) -> Model | None:
    """The network that reads the pictures, another option of `model`."""
    name = cfg["judge"]
    if name is None:
        return None
    checks.choice("judge", name, sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
    node = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"), resolve=True)
    judge = _model(json.dumps(node, sort_keys=True), "float32")
    if "logits" not in judge.layers:
        raise ValueError(f"judge={name} has no logits to read pictures by")
    _fits(judge, cfg["image_size"])
    return judge


def _resolve_config(config: DictConfig) -> dict[str, Any]:
    """The config without `hydra`, resolved, as plain Python values."""
    task = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
    cfg = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
    assert isinstance(cfg, dict)
    return cfg  # type: ignore[return-value]


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
        raise ValueError(
            f"the network cannot take images of image_size={size}: {reason}"
        ) from error
    for name, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"image_size={size} is too small: layer {name!r} would be empty")
