"""Images of fixed mean and contrast, gray images, and images with an opacity."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import fvjax
from fvjax.models.tiny import tiny
from fvjax.transforms import Identity
from fvjax.transparency import opaque, over

INNER = fvjax.Fourier(image_size=(20, 24), stddev=0.3)
MODEL = tiny()


@pytest.mark.parametrize(("mean", "contrast"), [(0.4, 0.1), (None, 0.05), (0.6, None)])
def test_mean_and_contrast_are_the_given_ones_or_the_image_s_own(
    mean: Any, contrast: Any, key: Array
) -> None:
    params = INNER.init(key)
    free = INNER.decode(params)
    image = fvjax.Constrained(parameterization=INNER, mean=mean, contrast=contrast).decode(params)
    assert float(image.mean()) == pytest.approx(
        float(free.mean()) if mean is None else mean, abs=1e-4
    )
    expected = float(free.std()) if contrast is None else contrast
    assert float(image.std()) == pytest.approx(expected, rel=1e-3)


def test_a_flat_image_has_finite_gradients() -> None:
    flat = fvjax.Pixels(image_size=8)
    constrained = fvjax.Constrained(parameterization=flat, mean=0.5, contrast=0.1)
    slope = jax.grad(lambda p: constrained.decode(p)[0, 0, 0])(jnp.zeros((8, 8, 3)))
    assert jnp.all(jnp.isfinite(slope))


def test_gray_images_have_equal_colours(key: Array) -> None:
    gray = fvjax.Constrained(parameterization=INNER, gray=True)
    image = np.asarray(gray.decode(INNER.init(key)))
    np.testing.assert_array_equal(image[..., 0], image[..., 2])
    luma = np.asarray(INNER.decode(INNER.init(key))) @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(image[..., 1], luma, atol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"contrast": 0.0}, "contrast must be a positive"),
        ({"contrast": 0.6}, "contrast must be at most 0.5"),
        ({"mean": 1.0}, "mean must be below 1"),
        ({"gray": "no"}, "gray must be true or false"),
    ],
)
def test_impossible_constraints_are_refused(keys: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fvjax.Constrained(parameterization=INNER, **keys)


@pytest.mark.slow
def test_contrasts_share_a_program_and_hold_while_the_score_rises() -> None:
    jobs = [
        fvjax.job(
            MODEL,
            parameterization=fvjax.Constrained(
                parameterization=fvjax.Fourier(image_size=32), mean=0.5, contrast=contrast
            ),
            transform=Identity(),
            steps=8,
        )
        for contrast in (0.05, 0.1)
    ]
    assert jax.tree.structure(jobs[0]) == jax.tree.structure(jobs[1])
    for contrast, result in zip((0.05, 0.1), fvjax.visualize_many(MODEL, jobs), strict=True):
        assert result.final_score > result.initial_score
        assert float(result.image.std()) == pytest.approx(contrast, rel=0.02)


def test_a_transparent_image_is_seen_over_grey(key: Array) -> None:
    rgba = jax.random.uniform(key, (32, 32, 4))
    seen = over(rgba, 0.5)
    np.testing.assert_allclose(seen, rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:]))
    np.testing.assert_array_equal(opaque(seen), seen)
    for name, layer in MODEL(rgba).items():
        np.testing.assert_allclose(layer, MODEL(seen)[name], atol=1e-5)


def test_random_backgrounds_are_seen_only_where_the_image_is_transparent(key: Array) -> None:
    still = fvjax.RandomBackground(transform=Identity())
    rgba = jnp.full((16, 16, 4), 0.3).at[..., 3].set(0.0).at[:8, :, 3].set(1.0)
    views = jax.vmap(still, (0, None))(jax.random.split(key, 5), rgba)
    assert views.shape == (5, 16, 16, 4)
    assert jnp.all(views[..., 3] == 1)
    np.testing.assert_allclose(views[:, :8, :, :3], 0.3, atol=1e-6)
    assert float(views[:, 8:, :, :3].std(0).mean()) > 0.02


@pytest.mark.slow
def test_an_image_becomes_transparent_where_the_objective_needs_no_pixels() -> None:
    """Only the upper half of the image reaches the layer."""

    def upper(weights: Any, image: Array, record: Any) -> None:
        record("upper", jnp.maximum(image[:8] - 0.2, 0))

    model = fvjax.Model.from_function(upper, {}, image_size=16)
    job = fvjax.job(
        model,
        objective=fvjax.Dot(),
        penalty=0.3 * fvjax.Opacity(),
        parameterization=fvjax.Transparent(parameterization=fvjax.Pixels(image_size=16)),
        transform=fvjax.RandomBackground(transform=Identity()),
        steps=64,
    )
    result = jax.jit(fvjax.visualize)(model, job)
    assert result.image.shape == (16, 16, 4) and not result.dead
    alpha = np.asarray(result.image[..., 3])
    assert alpha[:8].mean() > alpha[8:].mean() + 0.3
    measured = jax.jit(fvjax.measure)(model, job.direction, result.image, job.recipe.transform)
    assert all(np.isfinite(v) for n, v in measured.items() if n != "occlusion_support")
