"""Checks of a composed config: required keys, and a model that matches its option."""

from collections.abc import Mapping
from typing import Any

from sweeps.config.paths import CONF
from sweeps.config.several import holds_several, nodes_of

OF_ENVIRONMENT = (
    *(
        "model._target_",
        "model.default_layer",
        "image_size",
        "reference_images",
        "reference_count",
        "precision",
    ),
)  # of a study of images, which has no jobs
_OF_JOB = (
    *("direction._target_", "objective._target_", "penalty", "space._target_"),
    *(
        "parameterization._target_",
        "transform._target_",
        "optimizer.name",
        "metrics.optimized_metric",
    ),
    *("metrics.enabled", "layer", "position", "steps", "learning_rate", "images_per_job"),
    *("judge", "seed"),
)


def require_keys(cfg: Mapping[Any, Any], keys: tuple[str, ...] = _OF_JOB) -> None:
    """Refuse a config that lacks a required key, or that has keys of a penalty and no penalty."""
    penalty = cfg.get("penalty") or {}
    for key in keys:
        group, _, name = key.partition(".")
        if group not in cfg or (name and name not in cfg[group]):
            raise ValueError(f"every job needs {key}: do not remove it with ~{key}")
    if penalty and "_target_" not in penalty and not holds_several(penalty):
        given = ", ".join(f"penalty.{key}" for key in penalty)
        raise ValueError(f"penalty=none takes no keys, got {given}: choose a penalty")
    for name, node in nodes_of(penalty).items():
        for key in ("weight", "unit"):
            if key not in node:
                raise ValueError(
                    f"every job needs {name}.{key}: do not remove it with ~{name}.{key}"
                )


def check_model_choice(model: Mapping[str, Any], choice: str) -> None:
    """Refuse another network under an option of this package, which the table would name."""
    ours = model["_target_"] == "fvjax.load" and (CONF / "model" / f"{choice}.yaml").is_file()
    if ours and model["name"] != choice:
        raise ValueError(
            f"model={choice} does not load {model['name']}: choose model={model['name']}"
        )
