"""One instance of every objective, parameterization and transform; a new class adds a line here."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import fvjax
from fvjax.objectives.objective import as_objective
from fvjax.sources import DirectionInfo
from fvjax.transforms import Chain, Identity, Jitter, RandomBackground, RandomCrop, Standard
from sweeps.task import Task

LAYER, SIZE, CHANNELS = "conv2", 32, 16  # of the tiny model

PHOTO = jax.random.uniform(jax.random.key(7), (SIZE, SIZE, 3), minval=0.1, maxval=0.9)
DIRECTION = fvjax.Direction(vector=jnp.linspace(-0.5, 2.0, CHANNELS), layer=LAYER)


def _weighted_dot(activations: Any, direction: fvjax.Direction, weight: Any) -> Any:
    """Return a user's objective: a function with a number of its own."""
    return weight * fvjax.Dot()(activations, direction)


SCORES = {
    "dot": fvjax.DotCosine(exponent=0.0, floor=0.1),
    "dot_cosine": fvjax.DotCosine(exponent=2.0, floor=0.1),
    "cosine": fvjax.Cosine(),
    "inversion": fvjax.Inversion(),
    "sum": fvjax.DotCosine(exponent=0.0, floor=0.1) - 0.1 * fvjax.OrthogonalNorm(squared=False),
    "product": fvjax.Cosine() * fvjax.ActivationNorm(layer=LAYER, order=1),
    "scaled": 3.0 * fvjax.Cosine(),
    "balanced": fvjax.DotCosine(exponent=0.0, floor=0.1)
    - fvjax.Balanced(weight=0.1, penalty=fvjax.ActivationNorm(layer="conv1", order=1)),
    "towards": fvjax.Cosine()
    + 0.5
    * fvjax.Towards(
        objective=fvjax.DotCosine(exponent=1.0),
        direction=fvjax.Direction(vector=jnp.linspace(1.0, -0.5, 8), layer="conv1"),
    ),
    "deepdream": fvjax.DeepDream(),
    "lucid_atlas": fvjax.LucidAtlas(exponent=1.0, floor=0.01),
    "differential": fvjax.Differential(along=1.5, stddev=jnp.linspace(0.0, 2.0, CHANNELS)),
    "softmax": fvjax.Softmax(
        rivals=jnp.ones(CHANNELS).at[2].set(0.0),
        mean=jnp.linspace(-1.0, 1.0, CHANNELS),
        stddev=jnp.linspace(0.0, 2.0, CHANNELS),
        along=0.5,
        temperature=0.7,
    ),
    "match": fvjax.Match(target=jnp.linspace(0.0, 2.0, CHANNELS)[None]),
}
PENALTIES = {
    "orthogonal": fvjax.OrthogonalNorm(squared=False),
    "orthogonal_squared": fvjax.OrthogonalNorm(squared=True),
    "norm_1": fvjax.ActivationNorm(layer="conv1", order=1),
    "norm_2": fvjax.ActivationNorm(layer="conv1", order=2),
    "total_variation": fvjax.TotalVariation(),
    "high_frequency": fvjax.HighFrequency(),
    "blur": fvjax.Blur(),
    "irrelevant": fvjax.IrrelevantNorm(layer="conv1", order=2),
    "anchor": fvjax.Anchor(layer="conv1", image=PHOTO),
}
ALPHA_PENALTIES = {"opacity": fvjax.Opacity()}
"""Penalties on images with alpha: of other images they are constant."""
USER_OBJECTIVES = {"function": as_objective(partial(_weighted_dot, weight=2.0))}
"""Objectives with code of other packages, whose programs are not cached."""
BATCH_PENALTIES = {
    "diversity": fvjax.Diversity(layer="conv1"),
    "alignment": fvjax.Alignment(layer="conv1", decay_ratio=2.0),
}
"""Penalties on several images: of one image alone they are 0."""
# A penalty is ascended too: less of it is what its user wants, more of it is what it measures.
OBJECTIVES = SCORES | PENALTIES

PARAMETERIZATIONS = {
    "fourier": fvjax.Fourier(image_size=SIZE, stddev=0.01, decay_power=1.0, decorrelate=True),
    "fourier_rgb": fvjax.Fourier(image_size=33, stddev=0.01, decay_power=0.5, decorrelate=False),
    "pixels": fvjax.Pixels(image_size=SIZE, stddev=0.01, decorrelate=True),
    "fourier_start": fvjax.Fourier(
        image_size=SIZE, stddev=0.01, decay_power=1.0, decorrelate=True, start=PHOTO
    ),
    "pixels_start": fvjax.Pixels(image_size=SIZE, stddev=0.01, decorrelate=True, start=PHOTO),
    "laplacian": fvjax.Laplacian(image_size=SIZE, levels=4, stddev=0.01, decorrelate=True),
    "cppn": fvjax.CPPN(image_size=SIZE, channels=8, layers=3, stddev=0.1, decorrelate=True),
    "maco": fvjax.Maco(image_size=SIZE, magnitude=fvjax.spectrum([PHOTO], True), decorrelate=True),
    "generator": fvjax.Generator(image_size=64, stddev=0.5),
    "gratings": fvjax.Gratings(image_size=SIZE),
    "constrained": fvjax.Constrained(
        parameterization=fvjax.Fourier(image_size=SIZE, stddev=0.3),
        mean=0.5,
        contrast=0.1,
        gray=True,
    ),
    "transparent": fvjax.Transparent(parameterization=fvjax.Fourier(image_size=SIZE)),
    "maco_rgb": fvjax.Maco(image_size=33, magnitude=20 * jnp.ones((3, 33, 17)), decorrelate=False),
}

LUCID = Standard(jitter=8.0, scale=0.1, rotation=10.0, late_jitter=4.0, fill=0.5)
TRANSFORMS = {
    "identity": Identity(),
    "jitter": Jitter(pixels=8.0),
    "standard": LUCID,
    "chain": Chain(transforms=(Jitter(pixels=3.0), LUCID)),
    "random_background": RandomBackground(transform=LUCID, stddev=0.5),
    "random_crop": RandomCrop(image_size=64, transform=LUCID),
}
_STILL = Standard(jitter=0.0, scale=0.0, rotation=0.0, late_jitter=0.0, fill=0.5)
STILL = {
    "identity": Identity(),
    "jitter": Jitter(pixels=0.0),
    "standard": _STILL,
    "chain": Chain(transforms=(Jitter(pixels=0.0), _STILL)),
    "random_background": RandomBackground(transform=_STILL, stddev=0.0),
    "random_crop": RandomCrop(image_size=64, transform=_STILL),
}


def task_of(model: fvjax.Model, job: fvjax.Job, measured: bool = True) -> Task:
    """A task of a job that no config describes."""
    return Task(model, job, DirectionInfo(job.direction, "", "vector"), measured)
