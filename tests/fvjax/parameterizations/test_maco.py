"""The spectrum of a MACO image is its references', whatever its phases."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import PHOTO
from jax import Array

import fvjax
from fvjax.parameterizations.parameterization import LEAST, from_rgb

SIZES = pytest.mark.parametrize("size", [12, 13])


@partial(jax.jit, static_argnums=1)
def coefficients(image: Any, decorrelate: bool) -> Array:
    return jnp.fft.rfft2(jnp.moveaxis(from_rgb(image, decorrelate), -1, 0))


@jax.jit
def decoded(image_of: fvjax.Maco, phases: Array) -> Array:
    return image_of.decode(phases)


def maco(size: int, decorrelate: bool = True) -> fvjax.Maco:
    magnitude = fvjax.spectrum([PHOTO[:size, :size], PHOTO[-size:, -size:]], decorrelate)
    return fvjax.Maco(image_size=size, magnitude=magnitude, decorrelate=decorrelate)


def real(size: int) -> np.ndarray:
    """Coefficients that are their own opposites: rows and columns 0 and size/2."""
    ends = [0] if size % 2 else [0, size // 2]
    own = np.zeros((size, size // 2 + 1), bool)
    own[np.ix_(ends, ends)] = True
    return own


@SIZES
@pytest.mark.parametrize("decorrelate", [True, False])
def test_the_magnitudes_are_the_references_whatever_the_phases(
    size: int, decorrelate: bool
) -> None:
    image_of = maco(size, decorrelate)
    magnitude = np.asarray(image_of.magnitude)
    rng = np.random.default_rng(0)
    for _ in range(3):
        phases = 5 * rng.normal(size=magnitude.shape).astype(np.float32)
        found = np.abs(coefficients(decoded(image_of, phases), decorrelate))
        expected = np.where(real(size), np.abs(np.cos(phases)), 1) * magnitude
        np.testing.assert_allclose(found, expected, atol=1e-4 * magnitude.max())


@SIZES
def test_phases_are_free_once_for_every_pair_of_opposite_frequencies(size: int) -> None:
    image_of = maco(size)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(size, size, 3)).astype(np.float32)
    phases = rng.uniform(-3, 3, image_of.magnitude.shape).astype(np.float32)
    slope = jax.jit(jax.grad(lambda p: jnp.sum(weights * image_of.decode(p))))(phases)
    own = int(real(size).sum())
    free = (size**2 - own) // 2 + own
    np.testing.assert_array_equal(np.sum(np.asarray(slope) != 0, (1, 2)), free)


@SIZES
@pytest.mark.parametrize("decorrelate", [True, False])
def test_a_photographs_spectrum_and_phases_make_the_photograph(
    size: int, decorrelate: bool
) -> None:
    photo = PHOTO[:size, :size]
    magnitude = fvjax.spectrum([photo], decorrelate)
    image_of = fvjax.Maco(image_size=size, magnitude=magnitude, decorrelate=decorrelate)
    phases = jnp.angle(coefficients(photo, decorrelate))
    np.testing.assert_allclose(decoded(image_of, phases), photo, atol=1e-5)


def test_a_spectrum_is_the_mean_of_its_images(key: Array) -> None:
    images = list(jax.random.uniform(key, (3, 8, 8, 3)))
    expected = np.mean([np.abs(coefficients(image, True)) for image in images], 0)
    np.testing.assert_allclose(fvjax.spectrum(iter(images), True), expected, rtol=1e-5)
    flat = fvjax.spectrum([np.full((8, 8, 3), 0.2, np.float32)], False)
    assert float(flat[1, 0, 0]) == pytest.approx(64 * np.log(4), rel=1e-5)
    assert float(jnp.sum(flat)) == pytest.approx(3 * 64 * np.log(4), rel=1e-4)
    white = fvjax.spectrum([np.ones((8, 8, 3), np.float32)], False)
    assert float(white[0, 0, 0]) == pytest.approx(64 * np.log(1 / LEAST - 1), rel=1e-5)


def test_no_place_of_the_first_images_stands_out() -> None:
    image_of = maco(12, decorrelate=False)
    keys = jax.random.split(jax.random.key(0), 256)
    images = jax.jit(jax.vmap(lambda k: image_of.decode(image_of.init(k))))(keys)
    raw = jax.vmap(lambda image: from_rgb(image, False))(images)
    spread = jnp.std(raw, (0, 3))
    np.testing.assert_allclose(spread / spread.mean(), jnp.ones((12, 12)), atol=0.2)


def test_no_image_has_no_spectrum() -> None:
    with pytest.raises(ValueError, match="needs at least one image"):
        fvjax.spectrum([], True)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("magnitude", "message"),
    [
        (np.ones((3, 12, 12), np.float32), r"spectrum of shape \(3, 12, 7\), got .*\(3, 12, 12\)"),
        (np.ones((12, 7), np.float32), r"shape \(3, 12, 7\), got shape \(12, 7\)"),
        (np.ones((3, 12, 7), np.int32), "floating-point values, got int32"),
        ("generated", r"an array of shape \(3, 12, 7\), got 'generated'"),
        (None, r"an array of shape \(3, 12, 7\), got None"),
    ],
)
def test_another_spectrum_is_refused(magnitude: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"magnitude must be a spectrum.*{message}|{message}"):
        fvjax.Maco(image_size=12, magnitude=magnitude, decorrelate=True)
