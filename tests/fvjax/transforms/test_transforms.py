"""Transforms keep the shape, do nothing at strength zero, and draw as Lucid's do."""

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import LUCID, STILL, TRANSFORMS
from jax import Array

from fvjax.transforms import Chain, Jitter, Standard

CASES = pytest.mark.parametrize("name", list(TRANSFORMS))
KEYS = jax.random.split(jax.random.key(11), 3000)


def fixed(**strengths: float) -> Standard:
    none = {"jitter": 0.0, "scale": 0.0, "rotation": 0.0, "late_jitter": 0.0, "fill": 0.5}
    return Standard(**(none | strengths))


def ramps(size: int) -> Array:
    """An image whose colours are its row, its column and 1: a view shows where it was sampled."""
    at = jnp.arange(size, dtype=jnp.float32)
    rows, columns = jnp.broadcast_arrays(at[:, None], at[None, :])
    return jnp.stack([rows, columns, jnp.ones((size, size))], -1)


def warps(transform: Any, size: int = 65) -> np.ndarray:
    """Per key, the affine map (2, 3) from the view's coordinates, from its middle, to the image's.

    Read off the middle 9 pixels of a view of the ramps, where no draw leaves the image.
    """
    half = size // 2
    near = slice(half - 4, half + 5)
    at = np.arange(-4, 5)
    rows, columns = (x.ravel() for x in np.meshgrid(at, at, indexing="ij"))
    inputs = np.stack([rows, columns, np.ones(81)], -1)
    view = jax.jit(jax.vmap(lambda k: transform(k, ramps(size))[near, near]))(KEYS)
    flat = np.asarray(view, np.float64).reshape(len(KEYS), 81, 3)
    assert np.abs(flat[..., 2] - 1).max() < 1e-5
    found = np.linalg.lstsq(inputs, np.moveaxis(flat[..., :2] - half, 0, 1).reshape(81, -1))[0]
    return np.moveaxis(found.reshape(3, len(KEYS), 2), (1, 2, 0), (0, 1, 2))


def shares(values: np.ndarray, step: float) -> dict[int, float]:
    """How often each multiple of `step` occurs; every value must be one."""
    whole = np.round(values / step)
    assert np.abs(values / step - whole).max() < 1e-2
    return {int(k): n / len(values) for k, n in sorted(Counter(whole).items())}


def assert_shares(found: dict[int, float], expected: dict[int, float]) -> None:
    assert set(found) == set(expected)
    for value, share in expected.items():  # five standard errors
        assert abs(found[value] - share) < 5 * np.sqrt(share * (1 - share) / len(KEYS))


@CASES
def test_views_have_the_image_s_shape(name: str, key: Array) -> None:
    for shape in ((32, 32, 3), (17, 24, 3)):
        image = jax.random.uniform(key, shape)
        assert jax.jit(TRANSFORMS[name])(key, image).shape == shape


@CASES
def test_strength_zero_is_the_identity_bit_for_bit(name: str) -> None:
    image = jax.random.uniform(jax.random.key(5), (33, 32, 3))
    images = jax.jit(jax.vmap(STILL[name], (0, None)))(KEYS[:16], image)
    np.testing.assert_array_equal(images, jnp.broadcast_to(image, images.shape))
    np.testing.assert_array_equal(STILL[name](KEYS[0], image), image)


@pytest.mark.parametrize("name", ["jitter", "standard", "chain"])
def test_every_image_of_a_batch_has_its_own_draw(name: str) -> None:
    image = jax.random.uniform(jax.random.key(5), (32, 32, 3))
    views = np.asarray(jax.vmap(TRANSFORMS[name], (0, None))(KEYS[:8], image))
    different = {v.tobytes() for v in views}
    assert len(different) >= 7
    one = TRANSFORMS[name](KEYS[3], image)
    np.testing.assert_allclose(views[3], one, atol=1e-5)


@CASES
def test_views_are_differentiable(name: str, key: Array) -> None:
    image = jax.random.uniform(key, (32, 32, 3))
    weights = jax.random.normal(key, image.shape)

    def score(image: Array) -> Array:
        return jnp.sum(weights * TRANSFORMS[name](KEYS[1], image))

    slope = jax.jit(jax.grad(score))(image)
    assert jnp.all(jnp.isfinite(slope)) and float(jnp.mean(slope != 0)) > 0.5
    moved = image + 0.01 * weights  # linear in the image
    np.testing.assert_allclose(
        score(moved) - score(image), jnp.sum(slope * 0.01 * weights), rtol=1e-3
    )


def test_jitter_is_uniform_on_whole_pixels_within_its_bound() -> None:
    image = jnp.zeros((32, 32, 3)).at[10, 12].set(1.0)
    view = jax.vmap(lambda k: jnp.argmax(Jitter(pixels=3.0)(k, image)[..., 0]))(KEYS)
    rows, columns = np.divmod(np.asarray(view), 32)
    seventh = {k: 1 / 7 for k in range(-3, 4)}
    assert_shares(shares(rows - 10, 1), seventh)
    assert_shares(shares(columns - 12, 1), seventh)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.1


@pytest.mark.parametrize(("pixels", "whole"), [(0.5, 0), (1.25, 1), (1.5, 1), (2.75, 2)])
def test_jitter_leaves_fractions_of_a_pixel_off(pixels: float, whole: int) -> None:
    image = ramps(32)
    fractional, integer = (
        jax.vmap(jax.jit(lambda k, p=p: Jitter(pixels=p)(k, image)))(KEYS[:200])
        for p in (jnp.asarray(pixels), whole)
    )
    np.testing.assert_array_equal(fractional, integer)


@pytest.mark.parametrize(("name", "strength"), [("jitter", 8), ("late_jitter", 4), ("jitter", 5)])
def test_crop_offsets_are_lucid_s(name: str, strength: int) -> None:
    maps = warps(fixed(**{name: float(strength)}))
    np.testing.assert_allclose(
        maps[:, :, :2], np.broadcast_to(np.eye(2), (len(KEYS), 2, 2)), atol=1e-4
    )
    # random_crop: uniform on 0 ... strength; the middle one is no shift here.
    expected = {k - strength // 2: 1 / (strength + 1) for k in range(strength + 1)}
    assert_shares(shares(maps[:, 0, 2], 1), expected)
    assert_shares(shares(maps[:, 1, 2], 1), expected)


def test_scales_are_lucid_s() -> None:
    maps = warps(fixed(scale=0.1))
    np.testing.assert_allclose(maps[:, 0, 0], maps[:, 1, 1], atol=1e-4)
    factors = 1 / maps[:, 0, 0]  # a view enlarged by f samples 1/f as densely
    expected = {k: 1 / 11 for k in range(-5, 6)}  # 1 + (k - 5)/50 for k in range(11)
    assert_shares(shares(factors - 1, 0.02), expected)
    half = 1 / warps(fixed(scale=0.05))[:, 0, 0]
    assert half.min() == pytest.approx(0.95, abs=1e-3)
    assert half.max() == pytest.approx(1.05, abs=1e-3)


def test_angles_are_lucid_s() -> None:
    maps = warps(fixed(rotation=10.0))
    assert np.abs(np.linalg.det(maps[:, :, :2]) - 1).max() < 1e-3
    degrees = np.rad2deg(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    expected = {k: (6 if k == 0 else 1) / 26 for k in range(-10, 11)}  # range(-10, 11) + 5 * [0]
    assert_shares(shares(degrees, 1.0), expected)


def test_lucid_s_chain_is_crop_scale_rotate_crop_about_the_middle() -> None:
    maps = warps(LUCID, size=97)
    linear = maps[:, :, :2]
    factor = 1 / np.sqrt(np.linalg.det(linear))
    assert_shares(shares(factor - 1, 0.02), {k: 1 / 11 for k in range(-5, 6)})
    assert factor.min() > 0.899 and factor.max() < 1.101
    # shift = linear @ late + early, with whole early in -4 ... 4 and late in -2 ... 2
    shift, found = maps[:, :, 2], np.zeros(len(KEYS), bool)
    for down in range(-2, 3):
        for across in range(-2, 3):
            early = shift - linear @ np.array([down, across])
            found |= (np.abs(early - np.round(early)) < 0.02).all(1) & (np.abs(early) < 4.5).all(1)
    assert found.all()


def test_what_lies_outside_the_image_is_fill() -> None:
    image = jnp.ones((16, 16, 3))
    far = fixed(jitter=8.0, fill=0.25)
    views = jax.vmap(lambda k: far(k, image))(KEYS[:200])
    assert set(np.unique(np.asarray(views))) == {0.25, 1.0}
    counts = np.asarray(jnp.sum(views == 0.25, (1, 2, 3)))
    assert counts.max() == 3 * (256 - 12 * 12) and counts.min() == 0


def test_strengths_are_leaves_of_one_program(key: Array) -> None:
    traces = []

    @jax.jit
    def view(transform: Standard) -> Array:
        traces.append(1)
        return transform(key, ramps(16))

    seen = [view(fixed(**{name: 2.0})) for name in ("jitter", "rotation", "late_jitter")]
    seen += [view(fixed(scale=0.5)), view(fixed(fill=0.1, jitter=4.0))]
    assert len(traces) == 1 and len({np.asarray(s).tobytes() for s in seen}) > 3


def test_the_parts_of_a_chain_draw_apart(key: Array) -> None:
    image = ramps(32)
    twice = Chain(transforms=(Jitter(pixels=8.0), Jitter(pixels=8.0)))
    parts = jax.random.split(key, 2)
    expected = Jitter(pixels=8.0)(parts[1], Jitter(pixels=8.0)(parts[0], image))
    np.testing.assert_array_equal(twice(key, image), expected)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Jitter(pixels=-1), "pixels must be a finite number of at least 0, got -1"),
        (lambda: fixed(rotation=-1.0), "rotation must be"),
        (lambda: fixed(scale=1.0), "scale must be below 1, got 1.0"),
        (lambda: fixed(late_jitter=float("nan")), "late_jitter must be"),
    ],
)
def test_bad_strengths_are_refused(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
