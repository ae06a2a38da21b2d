"""The recipe of a job from its config and its score."""

from collections.abc import Mapping
from typing import Any

from fvjax.direction import AnyDirection
from fvjax.image_size import octave_sizes
from fvjax.optimization.recipe import Recipe, as_leaves
from fvjax.parameterizations import Parameterization
from fvjax.sources import Setup
from fvjax.transforms import Transform
from sweeps.planning.environment import require_fit
from sweeps.planning.score import Score


def recipe_of(
    cfg: Mapping[str, Any],
    setup: Setup,
    score: Score,
    parameterization: Parameterization,
    transform: Transform,
) -> tuple[Recipe, AnyDirection]:
    """Return the recipe and the direction of a job, whose numbers are leaves."""
    recipe = Recipe(
        objective=score.objective,
        parameterization=parameterization,
        transform=transform,
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
    return as_leaves((recipe, score.direction))


def _octaves(cfg: Mapping[str, Any], setup: Setup) -> tuple[tuple[int, int], ...]:
    """Return the sizes of the smaller octaves, all of which the network can take."""
    sizes = octave_sizes(setup.image_size, cfg["octaves"], cfg["octave_scale"])
    for size in sizes:
        require_fit(setup.model, size)
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
