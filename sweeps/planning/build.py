"""The task of a composed config: a model, a job, and the columns that describe them."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fvjax import checks
from fvjax.direction import FromImage, Interpolation
from fvjax.image_size import height_width, octave_sizes
from fvjax.models.model import Model
from fvjax.optimization.recipe import Job, Recipe, as_leaves
from fvjax.reference.activation_statistics import ImageSetDescription, ReferenceStatistics
from fvjax.reference.moments import forward
from fvjax.sources import DirectionInfo, Setup
from fvjax.spaces import Space
from sweeps.config.added_keys import check_added_keys
from sweeps.config.columns import choices_of, columns
from sweeps.config.config_dirs import option_files
from sweeps.config.job_id import job_id
from sweeps.config.paths import CONF, expand_home
from sweeps.config.several import holds_several, join_choices
from sweeps.config.validate import OF_ENVIRONMENT, check_model_choice, require_keys
from sweeps.execution.jax_setup import require_platform
from sweeps.planning.metric_inputs import (
    SCORES,
    applicable_metrics,
    metric_inputs,
    note_missing_reference,
    own_metrics,
)
from sweeps.planning.parameterization import parameterization_of
from sweeps.planning.penalties import name_layer
from sweeps.planning.pieces import make_transform, resolve_direction
from sweeps.planning.reference import load_reference_statistics
from sweeps.planning.score import before_relu, score_for
from sweeps.storage.content_hash import hash_arrays
from sweeps.task import Task

log = logging.getLogger(__name__)

_SIZES = 16, 4096  # pixels; at the upper limit Adam alone takes 400 MB
# Keys of a model's config that other keys refer to; the model's target does not get them.
_OF_SWEEP = ("default_layer", "image_size", "reference_images", "judge")


def build(config: DictConfig) -> Task:
    """Build the task of one composed config.

    Raises:
        ValueError: a key has a wrong value, which the message names.
    """
    choices = join_choices(config.hydra.runtime.choices)
    cfg, setup = environment(config)
    require_keys(cfg)
    checks.count("seed", cfg["seed"], least=0, most=checks.MOST_SEED)
    setup = replace(
        setup, judge=_judge(cfg["judge"], option_files(config, "model"), setup.image_size)
    )
    info = _direction_info(cfg, setup)
    optimized_metric, measured = cfg["metrics"]["optimized_metric"], cfg["metrics"]["enabled"]
    checks.boolean("metrics.enabled", measured)
    named = [*applicable_metrics(setup, info), *own_metrics(cfg["metrics"])]
    allowed = named if measured else SCORES
    checks.choice("metrics.optimized_metric", optimized_metric, allowed)
    space: Space = instantiate(cfg["space"])
    model, direction = space.move(setup, before_relu(cfg, setup.model, info))
    objective, model = score_for(cfg, replace(setup, model=model), info, space)
    recipe = Recipe(
        objective=objective,
        parameterization=parameterization_of(cfg["parameterization"], setup.image_size),
        transform=make_transform(cfg["transform"]),
        learning_rate=cfg["learning_rate"],
        steps=cfg["steps"],
        optimizer=cfg["optimizer"]["name"],
        images_per_job=cfg["images_per_job"],
        snapshots=_snapshots(cfg["snapshots"]),
        stop_when_converged=cfg["stop_when_converged"],
        octaves=_octaves(cfg, setup),
        anneal_steps=cfg["anneal_steps"],
        transparency=_transparency(cfg),
    )
    job = Job(recipe=recipe, direction=direction, key=jax.random.key(cfg["seed"]))
    inputs: dict[str, Any] = {}
    if measured:
        if setup.reference is None:
            note_missing_reference()
        shared, own = metric_inputs(cfg, setup, info)
        inputs = {"shared_inputs": shared, "job_inputs": own}
    return Task(
        model=model,
        job=as_leaves(job),
        info=info,
        measured=measured,
        optimized_metric=optimized_metric,
        job_id=job_id(_resolved(cfg, setup.model, info), choices_of(cfg, choices), CONF),
        columns=columns(cfg, choices),
        weights_hash=_weights_hash(setup.model, setup.judge),
        reference_hash=_reference_hash(setup.reference),
        **inputs,
    )


def _octaves(cfg: Mapping[str, Any], setup: Setup) -> tuple[tuple[int, int], ...]:
    """Return the sizes of the smaller octaves, all of which the network can take."""
    sizes = octave_sizes(setup.image_size, cfg["octaves"], cfg["octave_scale"])
    for size in sizes:
        _fits(setup.model, size)
    return sizes


def _transparency(cfg: Mapping[str, Any]) -> bool:
    """Return whether pictures get an opacity from their gradients."""
    if cfg["transparency"] and cfg["parameterization"].get("colors") == "rgba":
        raise ValueError(
            "transparency=true is for pictures without an opacity of their own: "
            "leave out parameterization.colors=rgba"
        )
    return cfg["transparency"]  # type: ignore[no-any-return]


def _snapshots(value: Any) -> tuple[int, ...]:
    """Return the steps of a list; one number is a list of one."""
    return tuple(value) if isinstance(value, list) else (value,)


def environment(config: DictConfig) -> tuple[dict[str, Any], Setup]:
    """Return the resolved config, and the network and reference images that it names."""
    require_platform()
    cfg = _resolve_config(config)
    check_added_keys(config.hydra.overrides.task, cfg)
    require_keys(cfg, OF_ENVIRONMENT)
    if cfg["image_size"] is not None:
        height_width(cfg["image_size"], "image_size", *_SIZES)
    check_model_choice(cfg["model"], config.hydra.runtime.choices["model"])
    model = _model(json.dumps(cfg["model"], sort_keys=True), cfg["precision"])
    cfg = _filled(cfg, model)
    size = height_width(cfg["image_size"], "image_size", *_SIZES)
    _fits(model, size)
    reference = load_reference_statistics(
        model, cfg["reference_images"], cfg["reference_count"], size
    )
    if "layer" in cfg:
        model.require_layer(cfg["layer"])
    return cfg, Setup(
        model=model,
        layer=cfg.get("layer", model.default_layer),
        image_size=size,
        position=cfg.get("position", "all"),
        reference=reference,
    )


def _filled(cfg: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Fill the config's layer and size with the network's own where the option names none."""
    own = {"default_layer": model.default_layer, "image_size": _short(model.image_size)}
    node = {key: own.get(key) if value is None else value for key, value in cfg["model"].items()}
    layer = node["default_layer"] if cfg.get("layer") is None else cfg["layer"]
    size = node["image_size"] if cfg["image_size"] is None else cfg["image_size"]
    node["default_layer"] = str(node["default_layer"])  # a layer may be called 3
    return {**cfg, "model": node, "layer": str(layer), "image_size": size}


def _short(size: tuple[int, int]) -> int | list[int]:
    """Return a size as a config has it: one number for a square."""
    return size[0] if size[0] == size[1] else list(size)


def _resolved(cfg: Mapping[str, Any], model: Model, info: DirectionInfo) -> dict[str, Any]:
    """Return the config with the resolved layers, so that naming a default changes no job id."""
    penalty = dict(cfg["penalty"])
    if holds_several(penalty):
        penalty = {key: dict(node) for key, node in penalty.items()}
    for node in penalty.values() if holds_several(penalty) else (penalty,):
        name_layer(node, model, info)
    return {**cfg, "layer": info.direction.layer, "penalty": penalty}


def _direction_info(cfg: Mapping[str, Any], setup: Setup) -> DirectionInfo:
    """Return the direction at its position, with the reference images' own dot products."""
    info = resolve_direction(cfg["direction"], setup).at_position(setup)
    layer, own = cfg["layer"], info.direction.layer
    if layer not in (own, cfg["model"]["default_layer"]):
        raise ValueError(
            f"direction.layer={own} decides where to look, layer={layer} does not: leave it out"
        )
    direction, reference = info.direction, setup.reference
    if reference is None or isinstance(direction, Interpolation):
        return info
    if isinstance(direction, FromImage):
        vector = forward(setup.model, direction.image[None], (own,))[own][0]
    else:
        vector = direction.vector
    if vector.ndim > 1 and isinstance(reference.images, ImageSetDescription):
        return info  # images would be needed
    projections = reference.projections(own, np.asarray(vector), setup.position)
    return replace(info, reference_projections=projections)


def _judge(
    name: str | None, options: Mapping[str, Path], image_size: tuple[int, int]
) -> Model | None:
    """Return the network that classifies the pictures, another option of `model`."""
    if name is None:
        return None
    judge = load_option(name, options, "judge")
    if "logits" not in judge.layers:
        raise ValueError(f"judge={name} has no logits to read pictures by")
    _fits(judge, image_size)
    return judge


def load_option(name: str, options: Mapping[str, Path], key: str) -> Model:
    """Return the network of an option of `model`, once for each option.

    Args:
        name: the option.
        options: the files of all options, by name.
        key: what asks for it, for errors.
    """
    checks.choice(key, name, sorted(options))
    node = OmegaConf.to_container(OmegaConf.load(options[name]), resolve=True)
    return _model(json.dumps(node, sort_keys=True), "float32")


def _resolve_config(config: DictConfig) -> dict[str, Any]:
    """Return the config without `hydra`, resolved, as Python values."""
    task = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
    cfg = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
    assert isinstance(cfg, dict)
    return expand_home(cfg)  # type: ignore[no-any-return]


@cache
def _model(config: str, precision: str) -> Model:
    """Load the model of a config (as JSON) once: equal configs share weights and programs."""
    node = json.loads(config)
    model = instantiate({k: v for k, v in node.items() if k not in _OF_SWEEP})
    if not isinstance(model, Model):
        raise ValueError(f"model {node['_target_']} must return a fvjax.Model, got {type(model)}")
    if precision == "tf32" and jax.default_backend() == "cpu":
        log.warning("precision=tf32 is float32 on a CPU")
    return model.in_precision(precision)


def _weights_hash(*models: Model | None) -> str:
    """Return the hashes of the weights of models that `_model` loaded, joined by `+`."""
    return "+".join(_hash_weights(model) for model in models if model is not None)


@cache
def _hash_weights(model: Model) -> str:
    return hash_arrays(model.weights)


def _reference_hash(reference: ReferenceStatistics | None) -> str | None:
    if reference is None:
        return None
    return hashlib.sha256(reference.images.identity.encode()).hexdigest()[:16]


def _fits(model: Model, image_size: tuple[int, int]) -> None:
    """Refuse an image size that the network cannot take."""
    height, width = image_size
    size = f"image_size={height}" if height == width else f"image_size=[{height},{width}]"
    try:
        shapes = model.shapes(image_size)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the network cannot take images of {size}: {reason}") from error
    for name, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"{size} is too small: layer {name!r} would be empty")
