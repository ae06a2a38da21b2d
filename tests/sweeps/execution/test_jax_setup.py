"""A start is where the ascent begins: the parameters of a photograph decode to it."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DIRECTION, PHOTO, SIZE
from jax import Array

import fvjax
from fvjax.models.tiny import tiny
from fvjax.optimization.score import score_of
from fvjax.parameterizations.parameterization import LEAST
from fvjax.transforms import Identity

MODEL = tiny()


def fourier(stddev: float = 0.0, decay: float = 1.0, **given: Any) -> fvjax.Fourier:
    given = {"image_size": SIZE, "decorrelate": True, "start": PHOTO} | given
    return fvjax.Fourier(stddev=stddev, decay_power=decay, **given)


def pixels(stddev: float = 0.0, **given: Any) -> fvjax.Pixels:
    return fvjax.Pixels(
        stddev=stddev, **({"image_size": SIZE, "decorrelate": True, "start": PHOTO} | given)
    )


MADE = pytest.mark.parametrize("made", [fourier, pixels])


@jax.jit
def first(parameterization: Any, seed: int = 0) -> Array:
    return parameterization.decode(parameterization.init(jax.random.key(seed)))


@MADE
@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("size", [SIZE, 31])
def test_the_first_image_is_the_photograph(made: Any, decorrelate: bool, size: int) -> None:
    photo = PHOTO[:size, :size]
    image = first(made(start=photo, image_size=size, decorrelate=decorrelate))
    np.testing.assert_allclose(image, photo, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.5, 2.0])
def test_any_decay_starts_from_the_photograph(decay: float) -> None:
    np.testing.assert_allclose(first(fourier(decay=decay)), PHOTO, atol=1e-5)


@MADE
def test_black_and_white_come_back_within_half_a_level_of_eight_bits(made: Any) -> None:
    photo = jnp.round(PHOTO)
    image = first(made(start=photo))
    np.testing.assert_allclose(jnp.abs(image - photo), LEAST, rtol=1e-2)
    assert LEAST < 0.5 / 255


@MADE
def test_stddev_is_noise_about_the_photograph(made: Any) -> None:
    start, grey = made(0.01), made(0.01, start=None)
    key = jax.random.key(3)
    moved = jax.tree.map(jnp.subtract, start.init(key), made(0.0).init(key))
    np.testing.assert_allclose(moved, grey.init(key), atol=1e-5)
    assert jnp.any(first(start, 0) != first(start, 1))


def result(parameterization: Any, steps: int, rate: float) -> fvjax.Result:
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=1.0, floor=0.1),
        parameterization=parameterization,
        transform=Identity(),
        learning_rate=jnp.float32(rate),
        steps=steps,
        optimizer="adam",
    )
    job = fvjax.Job(recipe=recipe, direction=DIRECTION, key=jax.random.key(0))
    begun, _ = score_of(MODEL, job, PHOTO)
    made = jax.jit(fvjax.visualize)(MODEL, job)
    assert float(made.initial_score) == pytest.approx(float(begun), rel=1e-3)
    return made


@MADE
def test_ascent_goes_on_from_the_photograph(made: Any) -> None:
    ended = result(made(), 8, 0.02)
    assert ended.finite and float(ended.final_score) > float(ended.initial_score)
    change = float(jnp.abs(ended.image - PHOTO).mean())
    assert 0.001 < change < float(jnp.abs(PHOTO - 0.5).mean()) / 2


def test_starts_and_stddevs_are_leaves_of_one_program() -> None:
    several = [fourier(0.0), fourier(0.01), fourier(start=1 - PHOTO)]
    several = [replace(s, stddev=jnp.float32(s.stddev)) for s in several]  # type: ignore[attr-defined]
    assert len({jax.tree.structure(one) for one in several}) == 1
    images = [first(one) for one in several]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *several)
    np.testing.assert_allclose(jax.vmap(first)(stacked), jnp.stack(images), atol=1e-5)
    np.testing.assert_allclose(images[2], 1 - PHOTO, atol=1e-5)


@MADE
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"image_size": 16}, r"start must be an image in \[0, 1\] of shape \(16, 16, 3\)"),
        ({"start": PHOTO[..., 0]}, r"of shape \(32, 32, 3\), got shape \(32, 32\)"),
        ({"start": np.ones((32, 32, 3), np.uint8)}, "of floating-point values, got uint8"),
        ({"start": "cat.jpg"}, "got 'cat.jpg'"),
        ({"stddev": -0.1}, "stddev must be a finite number of at least 0"),
        ({"start": None, "stddev": 0.0}, "stddev must be a positive finite number"),
    ],
)
def test_a_start_that_is_no_such_image_is_refused(
    made: Any, bad: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        made(**bad)
