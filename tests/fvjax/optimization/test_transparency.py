"""MACO's transparency: the pixels' gradients, summed over steps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import composed
from jax import Array

import fvjax
from fvjax.models import Model, Record
from fvjax.transforms import Identity
from sweeps.planning.build import build


def corner(weights: Array, image: Array, record: Record) -> None:
    """A network that sees the upper left quarter alone."""
    record("seen", jnp.mean(image[:8, :8], (0, 1)) @ weights)


MODEL = Model.from_function(corner, jnp.array([[1.0], [2.0], [3.0]]), image_size=16)


def run(**choices: Any) -> fvjax.Result:
    given: dict[str, Any] = {"steps": 5, "transform": Identity(), "objective": fvjax.Dot()}
    return jax.jit(fvjax.visualize)(MODEL, fvjax.job(MODEL, **given | choices))


def test_it_is_the_sum_of_the_gradient_s_sizes() -> None:
    found = run(transparency=True)
    expected = np.zeros((16, 16))
    expected[:8, :8] = 5 * (1 + 2 + 3) / 3 / 64  # the same in each of the five steps
    np.testing.assert_allclose(np.asarray(found.transparency), expected, rtol=1e-4)


def test_off_there_is_none_and_the_image_is_the_same() -> None:
    off, on = run(), run(transparency=True)
    assert off.transparency is None
    np.testing.assert_allclose(off.image, on.image, atol=1e-5)


def test_each_of_several_images_has_its_own() -> None:
    found = run(transparency=True, images_per_job=2)
    assert found.transparency is not None and found.transparency.shape == (2, 16, 16)


def test_an_opacity_of_its_own_is_refused(unchecked: None) -> None:
    rgba = ("parameterization.colors=rgba", "transform=random_background")
    with pytest.raises(ValueError, match="transparency=true is for pictures without an opacity"):
        build(composed("model=tiny", "transparency=true", *rgba))
    with pytest.raises(ValueError, match="transparency must be true or false"):
        build(composed("model=tiny", "transparency=1"))
