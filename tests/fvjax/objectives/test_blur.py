"""`Blur` pulls an image towards its blur, as Lucid's; `DeepDream` and `Opacity` are means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DIRECTION
from jax import Array

import fvjax
from fvjax.image_quality import blurred


def test_the_blur_is_lucid_s_normalised_kernel(key: Array) -> None:
    image = np.asarray(jax.random.uniform(key, (5, 6, 3)))
    kernel = np.full((3, 3), 0.5)
    kernel[1, 1] = 1.0
    expected = np.zeros_like(image)
    for i in range(5):
        for j in range(6):
            total = weight = 0.0
            for a in (-1, 0, 1):
                for b in (-1, 0, 1):
                    if 0 <= i + a < 5 and 0 <= j + b < 6:
                        total = total + kernel[a + 1, b + 1] * image[i + a, j + b]
                        weight += kernel[a + 1, b + 1]
            expected[i, j] = total / weight
    np.testing.assert_allclose(blurred(jnp.asarray(image)), expected, rtol=1e-5)


def test_a_step_against_the_penalty_is_a_step_towards_the_blur(key: Array) -> None:
    image = jax.random.uniform(key, (5, 6, 3))
    slope = jax.grad(lambda x: fvjax.Blur()({"image": x}, DIRECTION))(image)
    np.testing.assert_allclose(slope * image.size, image - blurred(image), atol=1e-5)
    flat = jnp.full((5, 6, 3), 0.3)
    assert float(fvjax.Blur()({"image": flat}, DIRECTION)) == pytest.approx(0, abs=1e-10)


def test_opacity_is_the_mean_of_alpha() -> None:
    rgba = jnp.zeros((4, 4, 4)).at[:1, :, 3].set(1.0)
    assert float(fvjax.Opacity()({"image": rgba}, DIRECTION)) == 0.25
    assert float(fvjax.Opacity()({"image": rgba[..., :3]}, DIRECTION)) == 1.0


def test_deepdream_is_the_mean_square_of_the_direction_s_layer(key: Array) -> None:
    a = jax.random.normal(key, (4, 4, 16))
    found = fvjax.DeepDream()({"conv2": a}, DIRECTION)
    assert float(found) == pytest.approx(float((a**2).mean()), rel=1e-5)
