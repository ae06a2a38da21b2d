"""Octaves: the ascent at a small size, of the picture enlarged, and so on up to its own size.

As in DeepDream (Mordvintsev et al. 2015). What is enlarged is the picture, not its noise: a larger
size begins with no detail of its own, but for what a photograph to start from has.
"""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from fvjax.direction import FromImage, refuse_places
from fvjax.image_size import height_width
from fvjax.objectives.examples import Anchor
from fvjax.objectives.objective import held_directions, parts
from fvjax.optimization.recipe import Job, Recipe
from fvjax.parameterizations.parameterization import Wrapper, resample, start_of, with_size
from fvjax.types import Images


def by_size(job: Job) -> tuple[Job, ...]:
    """Return the job of each octave, smallest first; a job without octaves is the only one.

    Raises:
        ValueError: a position, which is another place at another size; a vector for each position;
            a parameterization without `encode`; a value for each pixel.
    """
    recipe = job.recipe
    if not recipe.octaves:
        return (job,)
    refuse_places(
        (job.direction, *held_directions(recipe.objective)),
        "octaves need position=all and one vector for all positions: a place of the picture is "
        "another one in a smaller picture",
    )
    if fixed := _fixed_size(job):
        raise ValueError(f"{fixed[0]} needs octaves=1: it belongs to pixels of one size")
    innermost: Any = recipe.parameterization
    while isinstance(innermost, Wrapper):
        innermost = innermost.parameterization
    if not hasattr(innermost, "encode"):
        raise ValueError(
            f"octaves need a parameterization with encode(image), such as Fourier, Pixels or "
            f"Laplacian; {type(innermost).__name__} has none"
        )
    sizes = (*recipe.octaves, height_width(recipe.parameterization.image_size))
    return tuple(_at_size(job, size) for size in sizes)


def _fixed_size(job: Job) -> list[str]:
    """Return what has a value for each pixel, for the error."""
    anchored = any(isinstance(part, Anchor) for part in parts(job.recipe.objective))
    return ["transparency=true"] * job.recipe.transparency + ["penalty=anchor"] * anchored


def octave_at(
    step: int | Int[Array, ""], steps: int | Int[Array, ""], octaves: int
) -> Int[Array, ""]:
    """Return the octave of a step: each has an equal share of the steps."""
    return jnp.clip(step * octaves // steps, 0, octaves - 1)


def enlarge(smaller: Recipe, params: Any, larger: Recipe) -> Any:
    """Return the parameters with which the next octave begins."""
    size = height_width(larger.parameterization.image_size)
    image = resample(smaller.decode(params), size)
    start, small = start_of(larger.parameterization), start_of(smaller.parameterization)
    if start is not None and small is not None and image.shape[-1] == start.shape[-1]:
        image = jnp.clip(image + (start - resample(small, size)), 0, 1)
    return larger.encode(image)


def image_of(recipe: Recipe, jobs: tuple[Job, ...], params: Any, octave: Int[Array, ""]) -> Images:
    """Return the image of a state, at the size of the last octave."""
    if not recipe.octaves:
        return recipe.decode(params)
    size = height_width(recipe.parameterization.image_size)
    images = [resample(j.recipe.decode(p), size) for j, p in zip(jobs, params, strict=True)]
    return lax.select_n(octave, *images)


def _at_size(job: Job, size: tuple[int, int]) -> Job:
    recipe, direction = job.recipe, job.direction
    image = with_size(recipe.parameterization, size)
    if isinstance(direction, FromImage):
        direction = replace(direction, image=resample(direction.image, size))
    return replace(
        job, recipe=replace(recipe, parameterization=image, octaves=()), direction=direction
    )
