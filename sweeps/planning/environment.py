"""The network and the reference images of a config, and the setup that they make."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jax
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fvjax import checks
from fvjax.image_size import height_width
from fvjax.models.model import Model
from fvjax.sources import Setup
from sweeps.config.added_keys import check_added_keys
from sweeps.config.composed import Composed
from sweeps.config.validate import OF_ENVIRONMENT, check_model_choice, require_keys
from sweeps.execution.jax_setup import require_platform
from sweeps.planning.reference import load_reference_statistics

log = logging.getLogger(__name__)

_SIZES = 16, 4096  # pixels; at the upper limit Adam alone takes 400 MB
# Keys of a model's config that other keys refer to; the model's target does not get them.
_OF_SWEEP = ("default_layer", "image_size", "reference_images", "judge")


def environment(config: DictConfig | Composed) -> tuple[dict[str, Any], Setup]:
    """Return the resolved config, and the network and reference images that it names."""
    composed = Composed.of(config)
    check_environment(composed)
    filled, setup = setup_of(composed.values)
    return composed.values | filled, setup


def check_environment(composed: Composed) -> None:
    """Refuse a config that does not say which network and which images a job has.

    Raises:
        ValueError: a key is added and unknown, is missing or has a wrong value.
    """
    cfg = composed.values
    check_added_keys(composed.overrides, cfg)
    require_keys(cfg, OF_ENVIRONMENT)
    if cfg["image_size"] is not None:
        height_width(cfg["image_size"], "image_size", *_SIZES)
    check_model_choice(cfg["model"], composed.choices["model"])


def setup_of(cfg: Mapping[str, Any]) -> tuple[dict[str, Any], Setup]:
    """Return the network's values for keys of a checked config, and the setup that it names."""
    require_platform()
    model = _model(json.dumps(cfg["model"], sort_keys=True), cfg["precision"])
    filled = _filled(cfg, model)
    size = height_width(filled["image_size"], "image_size", *_SIZES)
    require_fit(model, size)
    reference = load_reference_statistics(
        model, cfg["reference_images"], cfg["reference_count"], size
    )
    model.require_layer(filled["layer"])
    return filled, Setup(
        model=model,
        layer=filled["layer"],
        image_size=size,
        position=cfg.get("position", "all"),
        reference=reference,
    )


def _filled(cfg: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Return the keys of layer and size with the network's own where the option names none."""
    own = {"default_layer": model.default_layer, "image_size": _short(model.image_size)}
    node = {key: own.get(key) if value is None else value for key, value in cfg["model"].items()}
    layer = node["default_layer"] if cfg.get("layer") is None else cfg["layer"]
    size = node["image_size"] if cfg["image_size"] is None else cfg["image_size"]
    node["default_layer"] = str(node["default_layer"])  # a layer may be called 3
    return {"model": node, "layer": str(layer), "image_size": size}


def _short(size: tuple[int, int]) -> int | list[int]:
    """Return a size as a config has it: one number for a square."""
    return size[0] if size[0] == size[1] else list(size)


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


def require_fit(model: Model, image_size: tuple[int, int]) -> None:
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
