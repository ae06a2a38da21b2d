"""Jobs with defaults for everything that is not given: Lucid's."""

import jax

from fvjax.direction import AnyDirection, Position, with_position
from fvjax.image_size import ImageSize, height_width
from fvjax.models.model import Model
from fvjax.objectives.objective import Objective
from fvjax.objectives.similarity import DotCosine
from fvjax.optimization.recipe import Job, Recipe, as_leaves
from fvjax.parameterizations import Fourier, Parameterization
from fvjax.sources.direction_info import DirectionSource
from fvjax.sources.setup import Setup
from fvjax.sources.units import Channel
from fvjax.transforms import Standard, Transform
from fvjax.types import Number


def job(
    model: Model,
    *,
    layer: str | None = None,
    channel: int | None = None,
    direction: AnyDirection | DirectionSource | None = None,
    position: Position = "all",
    objective: Objective | None = None,
    penalty: Objective | None = None,
    parameterization: Parameterization | None = None,
    transform: Transform | None = None,
    image_size: ImageSize | None = None,
    steps: int = 256,
    learning_rate: Number | None = None,
    optimizer: str = "adam",
    seed: int = 0,
    images_per_job: int = 1,
) -> Job:
    """Return the job of one picture.

    Args:
        model: the network.
        layer: where to look; the model's default layer if None. Not with a finished direction.
        channel: the channel to excite, 0 if None. Not with `direction`.
        direction: what to look for: a direction, or a source of directions (`fvjax.sources`).
        position: `all` positions of the layer, its `center`, or one index for each axis of space.
        objective: what is maximised; `DotCosine()` if None.
        penalty: a positive quantity that is subtracted from the objective.
        parameterization: of the image; `Fourier(image_size=...)` if None.
        transform: random views of the image; `Standard()`, Lucid's, if None.
        image_size: pixels, one number or height and width; the model's own if None. Not with
            `parameterization`.
        steps: of gradient ascent.
        learning_rate: the parameterization's own if None.
        optimizer: a name in `fvjax.optimization.optimizers.OPTIMIZERS`.
        seed: decides the first image and every step's transform.
        images_per_job: images that are made together, for penalties on several images.

    Raises:
        ValueError: arguments that exclude each other; a layer, channel or position that the model
            lacks.
    """
    if parameterization is not None and image_size is not None:
        raise ValueError("image_size is the parameterization's: give one of them")
    size = model.image_size if image_size is None else height_width(image_size)
    image = Fourier(image_size=size) if parameterization is None else parameterization
    rate = getattr(image, "learning_rate", 0.05) if learning_rate is None else learning_rate
    score = DotCosine() if objective is None else objective
    recipe = Recipe(
        objective=score if penalty is None else score - penalty,
        parameterization=image,
        transform=Standard() if transform is None else transform,
        learning_rate=rate,
        steps=steps,
        optimizer=optimizer,
        images_per_job=images_per_job,
    )
    setup = Setup(
        model=model,
        layer=model.default_layer if layer is None else layer,
        image_size=height_width(image.image_size),
        position=position,
    )
    found = _direction(setup, layer, channel, direction)
    return as_leaves(Job(recipe=recipe, direction=found, key=jax.random.key(seed)))


def _direction(
    setup: Setup,
    layer: str | None,
    channel: int | None,
    direction: AnyDirection | DirectionSource | None,
) -> AnyDirection:
    """Return the direction at the setup's position."""
    if direction is not None and channel is not None:
        raise ValueError("channel and direction exclude each other: give one of them")
    if direction is None:
        direction = Channel(index=0 if channel is None else channel)
    if isinstance(direction, DirectionSource):
        return direction.resolve(setup).at_position(setup).direction
    if layer is not None and layer != direction.layer:
        raise ValueError(f"the direction looks at layer {direction.layer!r}, not at {layer!r}")
    if setup.position == "all":
        return direction  # which may have a position of its own
    return with_position(direction, setup.place(direction.layer))
