"""Jobs whose missing choices are Lucid's defaults."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from fvjax import checks
from fvjax.direction import (
    AnyDirection,
    Direction,
    FromImage,
    Interpolation,
    with_position,
)
from fvjax.image_size import ImageSize, height_width, octave_sizes
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective, as_objective
from fvjax.objectives.similarity import DotCosine
from fvjax.optimization.recipe import Job, Recipe, as_leaves
from fvjax.parameterizations import Fourier, Parameterization, learning_rate_of
from fvjax.positions import Position
from fvjax.sources.direction_info import DirectionSource
from fvjax.sources.setup import Setup
from fvjax.sources.units import Channel
from fvjax.transforms import Standard, Transform
from fvjax.types import Number

_OTHERS = ("octaves", "octave_scale", "stop_when_converged", "anneal_steps", "transparency")


def job(
    model: Model,
    *,
    layer: str | None = None,
    channel: int | None = None,
    direction: AnyDirection | DirectionSource | None = None,
    position: Position = "all",
    objective: Objective | Callable[..., Any] | None = None,
    penalty: Objective | Callable[..., Any] | None = None,
    parameterization: Parameterization | None = None,
    transform: Transform | None = None,
    image_size: ImageSize | None = None,
    steps: int = 256,
    learning_rate: Number | None = None,
    optimizer: str = "adam",
    seed: int = 0,
    images_per_job: int = 1,
    snapshots: Sequence[int] = (),
    **others: Any,
) -> Job:
    """Return the job of one image; missing arguments are Lucid's defaults.

    Args:
        model: the network.
        layer: the direction's layer; the model's default layer if None.
        channel: the channel to excite, 0 if None. Not with `direction`.
        direction: a direction, or a source of directions (`fvjax.sources`).
        position: `all` positions of the layer, its `center`, or one index for each axis of space.
        objective: maximised; `DotCosine()` if None. All pieces may be yours: `fvjax.registration`.
        penalty: an objective that is subtracted.
        parameterization: `Fourier(image_size=...)` if None.
        transform: random views of the image; `Standard()` if None.
        image_size: pixels or (height, width); the model's if None. Not with `parameterization`.
        steps: number of gradient steps.
        learning_rate: step size; the parameterization's own if None.
        optimizer: a name in `fvjax.optimization.optimizers.OPTIMIZERS`.
        seed: seed of the initial image and of every step's transform.
        images_per_job: number of images that are optimized together.
        snapshots: steps after which the image is kept too, increasing, from 0 to `steps`.
        others: `octaves=1 octave_scale=1.4 stop_when_converged anneal_steps transparency`.

    Raises:
        ValueError: arguments exclude each other, or the model lacks the layer, channel or position.
    """
    image = _parameterization(model, parameterization, image_size)
    recipe = Recipe(
        objective=_score(objective, penalty),
        parameterization=image,
        transform=Standard() if transform is None else transform,
        learning_rate=learning_rate_of(image) if learning_rate is None else learning_rate,
        steps=steps,
        optimizer=optimizer,
        images_per_job=images_per_job,
        snapshots=tuple(snapshots),
        **_options(image.image_size, **others),
    )
    where = model.default_layer if layer is None else layer
    setup = Setup(model, layer=where, image_size=height_width(image.image_size), position=position)
    target = _direction(setup, layer, channel, direction)
    return as_leaves(Job(recipe=recipe, direction=target, key=jax.random.key(seed)))


def _options(
    image_size: ImageSize, octaves: int = 1, octave_scale: float = 1.4, **others: Any
) -> dict[str, Any]:
    """Return the rarer fields of a recipe: the sizes of smaller octaves, and the others."""
    for name in others:
        checks.choice("argument of fvjax.job", name, _OTHERS)
    return {"octaves": octave_sizes(image_size, octaves, octave_scale), **others}


def _score(objective: Any, penalty: Any) -> Objective:
    """Return the objective less the penalty."""
    score = DotCosine() if objective is None else as_objective(objective)
    return score if penalty is None else score - as_objective(penalty)


def _parameterization(
    model: Model, parameterization: Parameterization | None, image_size: ImageSize | None
) -> Parameterization:
    """Return the parameterization, or Fourier coefficients of an image size."""
    if parameterization is None:
        size = model.image_size if image_size is None else height_width(image_size)
        return Fourier(image_size=size)
    if image_size is not None:
        raise ValueError(
            "the parameterization has an image_size: give image_size or parameterization"
        )
    return parameterization


def _direction(
    setup: Setup,
    layer: str | None,
    channel: int | None,
    direction: AnyDirection | DirectionSource | None,
) -> AnyDirection:
    """Return the direction at the setup's position."""
    if direction is not None and channel is not None:
        raise ValueError(
            "channel and direction exclude each other: give only channel or only direction"
        )
    if direction is None:
        direction = Channel(index=0 if channel is None else channel)
    # A direction, too, has a method `resolve`, by which the protocol knows a source.
    if not isinstance(direction, Direction | FromImage | Interpolation):
        return direction.resolve(setup).at_position(setup).direction
    if layer is not None and layer != direction.layer:
        raise ValueError(f"the direction belongs to layer {direction.layer!r}, not to {layer!r}")
    if setup.position == "all":
        return direction  # a finished direction may have a position of its own
    return with_position(direction, setup.place(direction.layer))
