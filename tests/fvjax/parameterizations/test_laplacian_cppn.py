"""A pyramid is linear in smooth patches; a CPPN is one picture at every size."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import fvjax
from fvjax.parameterizations.parameterization import from_rgb

PYRAMID = fvjax.Laplacian(image_size=16, levels=3, stddev=0.1, decorrelate=True)


@jax.jit
def raw(params: Any) -> Array:
    return from_rgb(PYRAMID.decode(params), PYRAMID.decorrelate)


def patch(level: int, row: int, column: int, size: int = 16) -> np.ndarray:
    """What one coefficient adds: a tent of half-width 2^level about the middle of its block.

    Outside the outermost centres nothing is left to interpolate: the edge goes on.
    """
    block = 2**level

    def tent(place: int) -> np.ndarray:
        middles = np.arange(size // block) * block + (block - 1) / 2
        pixels = np.clip(np.arange(size), middles[0], middles[-1])
        return np.maximum(0, 1 - np.abs(pixels - middles[place]) / block)

    return np.outer(tent(row), tent(column))


@pytest.mark.parametrize(("level", "row", "column"), [(0, 5, 9), (1, 3, 0), (2, 1, 2)])
def test_one_coefficient_changes_one_smooth_patch(level: int, row: int, column: int) -> None:
    params = jax.tree.map(jnp.zeros_like, PYRAMID.init(jax.random.key(0)))
    params = list(params)
    params[level] = params[level].at[row, column, 0].set(0.5)
    expected = np.zeros((16, 16, 3))
    expected[..., 0] = 0.5 * patch(level, row, column)
    np.testing.assert_allclose(raw(tuple(params)), expected, atol=1e-5)


def test_a_pyramid_is_linear_before_the_sigmoid(key: Array) -> None:
    one, other = PYRAMID.init(key), PYRAMID.init(jax.random.key(1))
    mixed = jax.tree.map(lambda a, b: 2 * a - 3 * b, one, other)
    np.testing.assert_allclose(raw(mixed), 2 * raw(one) - 3 * raw(other), atol=1e-4)
    assert float(jnp.std(raw(mixed))) > 0.1


def test_a_levels_gradient_is_what_its_patches_see(key: Array) -> None:
    pyramid = PYRAMID.replace(decorrelate=False)  # type: ignore[attr-defined]
    weights = np.asarray(jax.random.normal(key, (16, 16, 3)))
    zero = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(pyramid.init, key))
    slopes = jax.jit(jax.grad(lambda p: jnp.sum(weights * pyramid.decode(p))))(zero)
    for level, slope in enumerate(slopes):
        for row, column in ((0, 0), (1, 2), (3, 3)):
            seen = np.einsum("yx,yxc->c", patch(level, row, column), weights)
            # At 0 the sigmoid has a slope of 1/4.
            np.testing.assert_allclose(slope[row, column], seen / 4, atol=1e-5)


def test_levels_halve_and_round_down(key: Array) -> None:
    pyramid = fvjax.Laplacian(image_size=33, levels=6, stddev=0.2, decorrelate=True)
    params = pyramid.init(key)
    assert [level.shape[0] for level in params] == [33, 16, 8, 4, 2, 1]
    values = jnp.concatenate([level.ravel() for level in params])
    assert float(values.std()) == pytest.approx(0.2, rel=0.05)
    assert pyramid.decode(params).shape == (33, 33, 3)


CPPN = fvjax.CPPN(image_size=17, channels=6, layers=3, stddev=0.5, decorrelate=False)


@pytest.mark.parametrize("decorrelate", [False, True])
def test_a_cppn_is_one_picture_at_every_size(decorrelate: bool, key: Array) -> None:
    small = CPPN.replace(decorrelate=decorrelate)  # type: ignore[attr-defined]
    params = jax.jit(lambda k: small.init(k))(key)
    for times in (2, 3):  # every second or third pixel is at the same place
        large = jax.jit(small.replace(image_size=16 * times + 1).decode)(params)
        np.testing.assert_allclose(large[::times, ::times], small.decode(params), atol=1e-5)
    assert float(small.decode(params).std()) > 0.02


def lucid_s_cppn(params: Any, size: int) -> np.ndarray:
    """lucid.optvis.param.cppn.cppn from its weights."""
    r = 3.0**0.5
    line = np.linspace(-r, r, size)
    y, x = np.meshgrid(line, line, indexing="ij")
    net = np.stack([x, y], -1)
    *hidden, output = [(np.asarray(w, np.float64), np.asarray(b, np.float64)) for w, b in params]
    for weight, bias in hidden:
        angle = np.arctan(net @ weight + bias)
        net = np.concatenate([(angle - 0.0) / 0.67, (angle * angle - 0.0) / 0.6], -1)
    return 1 / (1 + np.exp(-(net @ output[0] + output[1])))


def test_a_cppn_decodes_as_lucid_s_does(key: Array) -> None:
    params = CPPN.init(key)
    np.testing.assert_allclose(CPPN.decode(params), lucid_s_cppn(params, 17), atol=1e-5)


def test_a_cppn_starts_as_lucid_s_does(key: Array) -> None:
    cppn = fvjax.CPPN(image_size=8, channels=24, layers=8, stddev=0.0, decorrelate=False)
    params = jax.jit(lambda k: cppn.init(k))(key)
    assert [w.shape for w, _ in params] == [(2, 24)] + [(48, 24)] * 7 + [(48, 3)]
    spreads = [float(w.std() * len(w) ** 0.5) for w, _ in params]
    np.testing.assert_allclose(spreads, [1] * 8 + [0], atol=0.2)
    biases = jnp.concatenate([b for _, b in params])
    assert float(biases.std()) == pytest.approx(0.1, rel=0.15)
    image = cppn.decode(params)
    np.testing.assert_allclose(image, jnp.broadcast_to(image[:1, :1], image.shape), atol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"levels": 0}, "levels must be an integer from 1 to 5, got 0"),
        ({"levels": 6}, "levels must be an integer from 1 to 5, got 6"),
        ({"image_size": "16"}, "image_size must be an integer"),
        ({"stddev": 0.0}, "stddev must be a positive"),
    ],
)
def test_a_pyramid_that_makes_no_image_is_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fvjax.Laplacian(**({"image_size": 16, "levels": 3, "stddev": 1, "decorrelate": True} | bad))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"image_size": 1}, "image_size must be an integer of at least 2"),
        ({"channels": 0}, "channels must be"),
        ({"layers": 0}, "layers must be"),
        ({"stddev": -1}, "stddev must be a finite number of at least 0"),
        ({"decorrelate": None}, "decorrelate must be true or false"),
    ],
)
def test_a_cppn_that_makes_no_image_is_refused(bad: dict[str, Any], message: str) -> None:
    good = {"image_size": 16, "channels": 4, "layers": 2, "stddev": 0.0, "decorrelate": True}
    with pytest.raises(ValueError, match=message):
        fvjax.CPPN(**(good | bad))
