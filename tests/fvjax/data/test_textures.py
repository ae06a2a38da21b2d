"""The generated images show what their labels say."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import assert_equal_leaves
from jaxtyping import Array

from fvjax.data import textures
from fvjax.data.patterns import SHAPES, TEXTURES, distances, patterns, unseen
from fvjax.data.textures import ATTRIBUTES, HUES, Nuisances

KEY = jax.random.key(4)
RENDER = jax.jit(textures.render)
SAMPLE = jax.jit(jax.vmap(textures.sample))


@pytest.fixture(scope="module")
def samples() -> textures.Sample:
    return SAMPLE(jax.random.split(KEY, 256))


@pytest.fixture(scope="module")
def plain() -> Nuisances:
    """Nuisances that disturb nothing."""
    quiet = {"noise": 0.0, "clutter": 0.0, "light": 0.0, "brightness": 0.0, "contrast": 1.0}
    middle = {"x": 0.0, "y": 0.0, "shift": 0.0, "second": 0.0, "radius": 26.0, "period": 9.0}
    fixed = {name: jnp.asarray(value) for name, value in (quiet | middle).items()}
    return dataclasses.replace(textures.nuisances(KEY), **fixed)


def test_images_are_finite_values_from_zero_to_one(samples: textures.Sample) -> None:
    image = np.asarray(samples.image)
    assert image.shape == (256, 64, 64, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    assert image.std((1, 2, 3)).min() > 0.01


def test_the_same_key_gives_the_same_image_and_another_key_another(
    samples: textures.Sample,
) -> None:
    again = SAMPLE(jax.random.split(KEY, 256))
    assert_equal_leaves(samples, again)
    assert np.abs(np.diff(again.image, axis=0)).mean((1, 2, 3)).min() > 0.01


def test_labels_are_uniform_and_independent() -> None:
    def labels(key: jax.Array) -> jax.Array:
        drawn = textures.sample(key)
        return jnp.stack([drawn.shape, drawn.texture, drawn.hue])

    count = 6400  # the image is not asked for, so compiling drops it
    found = np.asarray(jax.jit(jax.vmap(labels))(jax.random.split(KEY, count))).T
    assert found.min() == 0 and found.max() == 7
    for i in range(3):
        for j in range(i):
            table = np.zeros((8, 8))
            np.add.at(table, (found[i], found[j]), 1)
            statistic = ((table - count / 64) ** 2 / (count / 64)).sum()
            assert statistic < 110  # chi-squared with 63 degrees of freedom: p = 2e-4


def test_nuisances_are_recorded_vary_and_stay_in_their_ranges(samples: textures.Sample) -> None:
    for name, (low, high) in textures._RANGES.items():
        values = np.asarray(getattr(samples.nuisances, name))
        assert values.shape == (256,)
        assert low <= values.min() and values.max() <= high
        assert np.ptp(values) > 0.9 * (high - low)


def test_names_of_labels_are_eight_and_distinct() -> None:
    assert all(len(set(names)) == 8 for names in ATTRIBUTES.values())
    assert ATTRIBUTES == {"shape": SHAPES, "texture": TEXTURES, "hue": HUES}


def _hue(image: np.ndarray) -> float:
    """Hue in degrees of the image's mean colour, its grey taken off."""
    red, green, blue = image.reshape(-1, 3).mean(0)
    angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    return float(np.degrees(angle)) % 360


def test_the_hue_label_alone_decides_the_hue(plain: Nuisances) -> None:
    for hue, expected in enumerate(textures._DEGREES):
        image = np.asarray(RENDER(0, 0, hue, plain, KEY))
        off = abs(_hue(image[28:36, 28:36]) - expected)
        assert min(off, 360 - off) < 4  # hue on the hexagon is not quite the angle on the circle


def test_the_texture_label_changes_the_inside_of_the_shape_only(plain: Nuisances) -> None:
    images = np.stack([RENDER(0, texture, 3, plain, KEY) for texture in range(8)])
    grid = np.hypot(*np.mgrid[-31.5:32, -31.5:32])
    outside, inside = grid > 0.85 * 26 + 4, grid < 0.85 * 26 - 4
    assert np.abs(images - images[:1])[:, outside].max() < 1e-3  # the soft edge's tail
    for i in range(8):
        for j in range(i):
            assert np.abs(images[i] - images[j])[inside].mean() > 0.05, (i, j)


@pytest.mark.slow
def test_an_unseen_texture_changes_the_texture_alone(samples: textures.Sample) -> None:
    """Of the image that the same key draws."""
    strange = jax.jit(jax.vmap(textures.sample_unseen))(jax.random.split(KEY, 256))
    np.testing.assert_array_equal(strange.shape, samples.shape)
    np.testing.assert_array_equal(strange.hue, samples.hue)
    assert_equal_leaves(strange.nuisances, samples.nuisances)
    assert np.bincount(strange.texture).min() > 50 and strange.texture.max() == 2
    apart = np.abs(strange.image - samples.image)
    corner = apart[:, :2, :2].max((1, 2, 3))
    assert np.median(corner) < 1e-5 and apart.mean() > 0.02


def test_unseen_textures_are_none_of_the_seen_ones() -> None:
    grid = jnp.linspace(-2.5, 2.5, 80)
    v, u = jnp.meshgrid(grid, grid, indexing="ij")
    new = np.asarray(unseen(u, v, jnp.zeros(()), KEY))
    assert new.shape == (3, 80, 80) and np.abs(new).max() <= 1
    old = np.asarray(patterns(u, v, jnp.zeros(()), KEY))[1:]
    both = np.corrcoef(np.concatenate([old, new]).reshape(10, -1))
    np.fill_diagonal(both, 0)
    assert np.abs(both[7:]).max() < 0.5


def test_spirals_and_triangles_have_no_seam() -> None:
    """Along circles about the centre."""
    angle, radius = jnp.linspace(0, 2 * jnp.pi, 721)[None], jnp.linspace(0.5, 3, 20)[:, None]
    around = unseen(radius * jnp.cos(angle), radius * jnp.sin(angle), jnp.zeros(()), KEY)
    assert np.abs(np.diff(np.asarray(around)[:2], axis=-1)).max() < 0.2
    assert np.asarray(around).std((1, 2)).min() > 0.3


def test_the_shape_label_decides_the_area(plain: Nuisances) -> None:
    images = np.stack([RENDER(shape, 0, 3, plain, KEY) for shape in range(8)])
    grid = (np.arange(64) - 31.5) / 26
    y, x = np.meshgrid(grid, grid, indexing="ij")
    expected = (np.asarray(distances(jnp.asarray(x), jnp.asarray(y))) < 0).sum((1, 2))
    coloured = np.ptp(images, axis=-1) > 0.4
    np.testing.assert_allclose(coloured.sum((1, 2)), expected, rtol=0.08)
    for i in range(8):
        for j in range(i):
            assert (coloured[i] != coloured[j]).mean() > 0.02, (i, j)


def test_noise_blur_and_light_do_what_they_are_called(plain: Nuisances) -> None:
    def render(n: Nuisances) -> Array:
        return RENDER(1, 2, 3, n, KEY)

    clean = render(plain)
    noisy = render(dataclasses.replace(plain, noise=jnp.asarray(0.05)))
    assert 0.03 < np.std(noisy - clean) <= 0.05
    sharp = render(dataclasses.replace(plain, blur=jnp.asarray(0.3)))
    soft = render(dataclasses.replace(plain, blur=jnp.asarray(0.9)))
    assert np.abs(np.diff(soft, axis=0)).mean() < np.abs(np.diff(sharp, axis=0)).mean()
    lit = dataclasses.replace(plain, light=jnp.asarray(0.3), light_angle=jnp.asarray(0.0))
    gained = np.asarray(render(lit) - clean).mean((0, 2))
    assert gained[-8:].mean() > 0.02 and gained[:8].mean() < -0.02
