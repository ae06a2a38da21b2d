"""The tasks of composed configs: models, jobs, and the columns that describe them."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
from omegaconf import DictConfig

from fvjax import checks
from fvjax.models.model import Model
from fvjax.optimization.recipe import Job
from fvjax.parameterizations import Parameterization
from fvjax.sources import DirectionInfo, Setup
from fvjax.transforms import Transform
from sweeps.config.columns import choices_of, columns
from sweeps.config.composed import Composed
from sweeps.config.config_dirs import option_files
from sweeps.config.job_id import job_id
from sweeps.config.paths import CONF
from sweeps.config.several import holds_several
from sweeps.config.validate import require_keys
from sweeps.planning.direction import direction_info
from sweeps.planning.environment import (
    check_environment,
    load_option,
    require_fit,
    setup_of,
)
from sweeps.planning.metric_inputs import (
    SCORES,
    applicable_metrics,
    metric_inputs,
    note_missing_reference,
    own_metrics,
)
from sweeps.planning.parameterization import parameterization_of
from sweeps.planning.penalties import name_layer
from sweeps.planning.pieces import make_transform
from sweeps.planning.recipe import recipe_of
from sweeps.planning.score import score_for
from sweeps.planning.shared_parts import JobConfig, SharedParts
from sweeps.storage.content_hash import hash_arrays
from sweeps.task import Task

Config = Mapping[str, Any]


def build(config: DictConfig | Composed) -> Task:
    """Build the task of one composed config, as `Builder` does."""
    return Builder().build(config)


class Builder:
    """Builds the tasks of one sweep; what several jobs have in common is built once."""

    def __init__(self) -> None:
        """Begin without any parts."""
        self._parts = SharedParts()

    def build(self, config: DictConfig | Composed) -> Task:
        """Build the task of one composed config.

        The files that configs name are read once for all jobs of the sweep.

        Raises:
            ValueError: a key has a wrong value, which the message names.
        """
        composed, part = Composed.of(config), self._parts.get
        check_environment(composed)
        filled, setup = part(setup_of, JobConfig(composed.values))
        cfg = JobConfig(composed.values | filled)
        require_keys(cfg)
        checks.count("seed", cfg["seed"], least=0, most=checks.MOST_SEED)
        setup = part(_with_judge, cfg, setup, composed.folders)
        info = part(_direction, cfg, setup)
        measured = part(_measured, cfg, setup, info)
        score = part(score_for, cfg, setup, info)
        parameterization = part(_parameterization, cfg, setup)
        transform = part(_transform, cfg)
        recipe, direction = part(recipe_of, cfg, setup, score, parameterization, transform)
        choices = choices_of(cfg, composed.choices)
        key = part(_key, cfg)
        inputs: dict[str, Any] = part(_metric_inputs, cfg, setup, info) if measured else {}
        penalty = part(_resolved_penalty, cfg, setup, info)
        resolved = {**cfg, "layer": info.direction.layer, "penalty": penalty}
        return Task(
            model=score.model,
            job=Job(recipe=recipe, direction=direction, key=key),
            info=info,
            measured=measured,
            optimized_metric=cfg["metrics"]["optimized_metric"],
            job_id=job_id(resolved, choices, CONF),
            columns=columns(cfg, composed.choices),
            weights_hash=part(_weights_hash, cfg, setup),
            reference_hash=part(_reference_hash, cfg, setup),
            **inputs,
        )


def _with_judge(cfg: Config, setup: Setup, folders: tuple[Path, ...]) -> Setup:
    """Return the setup with the network that classifies the pictures, an option of `model`."""
    name = cfg["judge"]
    if name is None:
        return setup
    judge = load_option(name, option_files(folders, "model"), "judge")
    if "logits" not in judge.layers:
        raise ValueError(f"judge={name} has no logits to read pictures by")
    require_fit(judge, setup.image_size)
    return replace(setup, judge=judge)


def _direction(cfg: Config, setup: Setup) -> DirectionInfo:
    return direction_info(cfg["direction"], setup, cfg["model"]["default_layer"])


def _measured(cfg: Config, setup: Setup, info: DirectionInfo) -> bool:
    """Return whether metrics are computed; the optimized metric must be one of them."""
    metrics = cfg["metrics"]
    checks.boolean("metrics.enabled", metrics["enabled"])
    named = [*applicable_metrics(setup, info), *own_metrics(metrics)]
    allowed = named if metrics["enabled"] else SCORES
    checks.choice("metrics.optimized_metric", metrics["optimized_metric"], allowed)
    return bool(metrics["enabled"])


def _parameterization(cfg: Config, setup: Setup) -> Parameterization:
    return parameterization_of(cfg["parameterization"], setup.image_size)


def _transform(cfg: Config) -> Transform:
    made: Transform = make_transform(cfg["transform"])
    return made


def _key(cfg: Config) -> jax.Array:
    return jax.random.key(cfg["seed"])


def _metric_inputs(cfg: Config, setup: Setup, info: DirectionInfo) -> dict[str, Any]:
    """Return the inputs of the metrics, as fields of the task."""
    if setup.reference is None:
        note_missing_reference()
    shared, own = metric_inputs(cfg, setup, info)
    return {"shared_inputs": shared, "job_inputs": own}


def _resolved_penalty(cfg: Config, setup: Setup, info: DirectionInfo) -> dict[str, Any]:
    """Return the penalty with its layers, so that naming the default layer changes no job id."""
    penalty = dict(cfg["penalty"])
    several = holds_several(penalty)
    if several:
        penalty = {key: dict(node) for key, node in penalty.items()}
    for node in penalty.values() if several else (penalty,):
        name_layer(node, setup.model, info)
    return penalty


def _weights_hash(cfg: Config, setup: Setup) -> str:
    """Return the hashes of the weights of the network and its judge, joined by `+`."""
    del cfg
    models = (setup.model, setup.judge)
    return "+".join(_hash_weights(model) for model in models if model is not None)


@cache
def _hash_weights(model: Model) -> str:
    return hash_arrays(model.weights)


def _reference_hash(cfg: Config, setup: Setup) -> str | None:
    del cfg
    if setup.reference is None:
        return None
    return hashlib.sha256(setup.reference.images.identity.encode()).hexdigest()[:16]
