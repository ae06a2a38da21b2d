"""The library's defaults are those of the command line."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import composed

import fvjax
from fvjax.models.tiny import tiny
from fvjax.sources import Random
from sweeps.planning.build import build

MODEL = tiny()


def same(one: Any, other: Any) -> bool:
    """Whether two pytrees have one structure and equal leaves."""
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(bool(jnp.all(a == b)) for a, b in pairs)


def test_a_bare_job_is_that_of_the_bare_command() -> None:
    assert same(fvjax.job(fvjax.load("texturenet")), build(composed()).job)


@pytest.mark.parametrize(
    ("overrides", "arguments"),
    [
        (["direction.index=3", "layer=conv1"], {"channel": 3, "layer": "conv1"}),
        (["position=center"], {"position": "center"}),
        (["position=[2,5]"], {"position": [2, 5]}),
        (["objective=cosine", "seed=7"], {"objective": fvjax.Cosine(), "seed": 7}),
        (["objective=dot"], {"objective": fvjax.Dot()}),
        (["parameterization=cppn"], {"parameterization": fvjax.CPPN(image_size=32)}),
        (["parameterization=pixels"], {"parameterization": fvjax.Pixels(image_size=32)}),
        (["parameterization=laplacian"], {"parameterization": fvjax.Laplacian(image_size=32)}),
        (["transform=jitter"], {"transform": fvjax.Jitter()}),
        (["transform=none"], {"transform": fvjax.Identity()}),
        (["image_size=[24,40]"], {"image_size": (24, 40)}),
        (["direction=random", "direction.seed=2"], {"direction": Random(seed=2)}),
        (
            ["objective=dot", "penalty=orthogonal"],
            {"objective": fvjax.Dot(), "penalty": 0.5 * fvjax.OrthogonalNorm()},
        ),
    ],
)
def test_constructors_have_the_defaults_of_conf(
    overrides: list[str], arguments: dict[str, Any]
) -> None:
    wanted = build(composed("model=tiny", *overrides)).job
    assert same(fvjax.job(MODEL, **arguments), wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "conv_2"}, "unknown layer 'conv_2'.*did you mean conv2"),
        ({"channel": 16}, "from 0 to 15, got 16"),
        ({"position": [20, 0]}, "position in layer 'conv2' must be an integer from 0 to 15"),
        ({"channel": 1, "direction": Random()}, "exclude each other"),
        (
            {"image_size": 32, "parameterization": fvjax.Pixels(image_size=32)},
            "give image_size or parameterization",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fvjax.job(MODEL, **arguments)


@pytest.mark.slow
def test_many_jobs_are_made_in_batches_and_in_order() -> None:
    jobs = [fvjax.job(MODEL, channel=c, steps=2, seed=c) for c in range(5)]
    jobs.append(fvjax.job(MODEL, channel=1, steps=3))
    said: list[str] = []
    many = fvjax.visualize_many(MODEL, jobs, batch_size=2, progress=said.append)
    assert said == ["2 of 6 images", "4 of 6 images", "5 of 6 images", "6 of 6 images"]
    for job, result in zip(jobs, many, strict=True):
        alone = jax.jit(fvjax.visualize)(MODEL, job)
        np.testing.assert_allclose(result.image, alone.image, atol=1e-5)


def test_a_rectangular_image_is_made() -> None:
    result = jax.jit(fvjax.visualize)(MODEL, fvjax.job(MODEL, image_size=(24, 40), steps=2))
    assert result.image.shape == (24, 40, 3) and bool(result.finite)


def test_positions_share_a_program() -> None:
    job = fvjax.job(MODEL, position=[3, 4], steps=2)
    moved = replace(job, direction=fvjax.job(MODEL, position="center", steps=2).direction)
    assert jax.tree.structure(job) == jax.tree.structure(moved)
