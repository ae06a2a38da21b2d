"""Metrics against independent computations on small examples."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import fvjax
from fvjax import image_quality as pictures
from fvjax.metrics import measure as metrics
from fvjax.models import Model, Record
from fvjax.transforms import Identity, Jitter

V = np.array([1.0, -0.5, 2.0, 0.3])


def direction(vector: Any = V, layer: str = "b") -> fvjax.Direction:
    return fvjax.Direction(vector=jnp.asarray(vector, jnp.float32), layer=layer)


def network(weights: Any, image: Array, record: Record) -> None:
    """Two layers of 1 x 1 convolutions, so that numpy can follow."""
    x = record("a", jnp.maximum(image @ weights["a"] + 0.5, 0))
    record("b", x @ weights["b"])


@pytest.fixture(scope="module")
def model() -> Model:
    draws = np.random.default_rng(0)
    weights = {"a": draws.normal(size=(3, 5)), "b": draws.normal(size=(5, 4))}
    weights = {n: w.astype(np.float32) for n, w in weights.items()}
    return Model.from_function(network, weights, image_size=(16, 16))


@pytest.fixture(scope="module")
def image() -> Array:
    return jax.random.uniform(jax.random.key(2), (16, 16, 3))


def by_hand(model: Model, image: Array) -> tuple[np.ndarray, np.ndarray]:
    weights = {n: np.asarray(w, np.float64) for n, w in model.weights.items()}
    a = np.maximum(np.asarray(image, np.float64) @ weights["a"] + 0.5, 0)
    return a, a @ weights["b"]


def middle(*vector: Any) -> fvjax.Direction:
    """The direction at the centre of layer b, (8, 8)."""
    return replace(direction(*vector), position=jnp.array([8, 8]))


def aligned(b: np.ndarray) -> dict[str, float]:
    d, x = V / np.linalg.norm(V), b.reshape(-1, 4)
    length = np.linalg.norm(x, axis=-1)
    rest = np.linalg.norm(x - np.outer(x @ d, d), axis=-1)
    return {
        "dot": (x @ d).mean(),
        "cosine": (x @ d / length).mean(),
        "norm": length.mean(),
        "orthogonal": (rest / length).mean(),
    }


def test_all_metrics_of_one_image(model: Model, image: Array) -> None:
    measure = jax.jit(lambda m, i: fvjax.measure(m, direction(), i, Identity()))
    found = measure(model, image)
    a, b = by_hand(model, image)
    expected = aligned(b)
    expected["inversion_error"] = np.sum((b - V) ** 2) / (256 * V @ V)
    expected |= {"previous_l1": np.abs(a).mean(), "previous_l2": (a**2).mean()}
    expected |= {"robust_dot": expected["dot"], "robust_cosine": expected["cosine"]}
    expected["rank"] = 1 + np.sum(b.mean((0, 1)) > b.mean((0, 1))[2])
    pixels = np.asarray(image, np.float64)
    steps = [np.abs(np.diff(pixels, axis=axis)).ravel() for axis in (0, 1)]
    expected["total_variation"] = np.concatenate(steps).mean()
    expected["saturated"] = float(np.mean((pixels < 0.01) | (pixels > 0.99)))
    drops = []
    for patch in range(64):
        hidden, (row, column) = pixels.copy(), divmod(patch, 8)
        hidden[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = pixels.mean((0, 1))
        drops.append(expected["dot"] - aligned(by_hand(model, jnp.asarray(hidden))[1])["dot"])
    carried = np.sort(np.maximum(drops, 0))[::-1]
    counted = np.searchsorted(np.cumsum(carried) / carried.sum(), 0.9) + 1
    expected["occlusion_support"] = counted / 64
    expected["high_frequency"] = high_frequency(pixels)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=1e-6, err_msg=name)
    assert 0 < found["saturated"] < 0.2


def high_frequency(image: np.ndarray) -> float:
    above = total = 0.0
    size = image.shape[0]
    for channel in range(3):
        power = np.abs(np.fft.fft2(image[..., channel])) ** 2
        power[0, 0] = 0
        for i in range(size):
            for j in range(size):
                y, x = min(i, size - i) / size, min(j, size - j) / size
                total += power[i, j]
                above += power[i, j] * (y * y + x * x > 0.0625)
    return above / total


def test_the_center_s_metrics_are_of_the_middle_position(model: Model, image: Array) -> None:
    found = fvjax.measure(model, middle(), image, Identity())
    _, b = by_hand(model, image)
    for name, value in aligned(b[8:9, 8:9]).items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, err_msg=name)
    hidden = by_hand(model, jnp.mean(image, (0, 1), keepdims=True))[1][0, 0]
    # One patch holds the only position that counts, whichever way hiding it goes.
    for vector, share in ((b[8, 8] - hidden, 1 / 64), (hidden - b[8, 8], np.nan)):
        found = fvjax.measure(model, middle(vector), image, Identity())
        np.testing.assert_array_equal(found["occlusion_support"], share)


def test_the_first_layer_has_no_previous(model: Model, image: Array) -> None:
    first = fvjax.Direction(vector=jnp.ones(5), layer="a")
    found = fvjax.measure(model, first, image, Identity())
    assert not any(name.startswith("previous") for name in found)


def test_robust_metrics_average_fixed_views(model: Model, image: Array) -> None:
    transform = Jitter(pixels=4.0)
    found = fvjax.measure(model, middle(), image, transform)
    again = fvjax.measure(model, middle(), image, transform)
    views = [transform(k, image) for k in jax.random.split(jax.random.key(0), metrics.VIEWS)]
    dots = [aligned(by_hand(model, view)[1][8:9, 8:9])["dot"] for view in views]
    np.testing.assert_allclose(found["robust_dot"], np.mean(dots), rtol=1e-5)
    assert found["robust_dot"] == again["robust_dot"] != found["dot"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_image_that_is_not_finite_has_no_metrics(model: Model, image: Array, bad: float) -> None:
    changed = image.at[0, 0, 0].set(bad)  # which the centre does not see
    found = fvjax.measure(model, middle(), changed, Identity())
    assert {"rank", "saturated"} < set(found)
    assert all(jnp.isnan(value) for value in found.values())


def test_zero_activations_give_numbers() -> None:
    found = metrics.alignment({"b": jnp.zeros((2, 2, 4))}, direction())
    assert found == {"dot": 0, "cosine": 0, "norm": 0, "orthogonal": 0}


@pytest.mark.parametrize(("channel", "place"), [(0, 3), (1, 1), (2, 2), (3, 4)])
def test_rank_is_the_place_among_channels_by_mean_activation(channel: int, place: int) -> None:
    b = jnp.stack([jnp.full((2, 2), x) for x in (1.0, 5.0, 2.0, 0.5)], -1)
    assert metrics.rank({"b": b}, direction(jax.nn.one_hot(channel, 4))) == place


def test_rank_is_shared_by_equals() -> None:
    assert metrics.rank({"b": jnp.zeros((2, 2, 4))}, direction(jax.nn.one_hot(3, 4))) == 1


def test_parsimony_counts_the_patches_that_carry_nine_tenths() -> None:
    def occlusion_support(**carried: float) -> float:
        drops = np.zeros(64)
        drops[: len(carried)] = list(carried.values())
        return float(metrics.occlusion_support(jnp.asarray(drops, jnp.float32)[::-1])) * 64

    assert occlusion_support(one=3.0) == 1
    assert occlusion_support(one=0.95, two=0.05) == 1
    assert occlusion_support(one=0.5, two=0.3, three=0.15, four=0.05) == 3
    assert occlusion_support(one=1.0, hurts=-5.0) == 1
    assert float(metrics.occlusion_support(jnp.ones(64))) * 64 == 58  # 57.6 rounded up
    assert jnp.isnan(metrics.occlusion_support(-jnp.ones(64)))


@pytest.mark.parametrize("size", [16, 20, 33])
def test_hide_covers_each_pixel_exactly_once_with_the_mean_colour(size: int) -> None:
    image = jax.random.uniform(jax.random.key(1), (size, size, 3))
    times = np.zeros((size, size), int)
    for patch in range(64):
        hidden = metrics.hide(image, jnp.asarray(patch))
        changed = np.asarray(jnp.any(hidden != image, -1))
        np.testing.assert_allclose(
            np.asarray(hidden)[changed],
            np.broadcast_to(image.mean((0, 1)), (changed.sum(), 3)),
            rtol=1e-5,
        )
        rows, columns = np.nonzero(changed)
        assert rows.max() - rows.min() < size / 8 + 1 and rows.mean() // (size / 8) == patch // 8
        assert columns.mean() // (size / 8) == patch % 8
        times += changed
    assert (times == 1).all()


def test_quantities_of_the_pixels_of_plain_pictures() -> None:
    grey = jnp.full((16, 16, 3), 0.5)
    checks = jnp.broadcast_to((jnp.indices((16, 16)).sum(0) % 2)[..., None], (16, 16, 3)) * 1.0
    waves = jnp.broadcast_to(jnp.sin(jnp.arange(16) * np.pi / 8)[:, None, None], (16, 16, 3))
    assert pictures.total_variation(grey) == 0 and pictures.total_variation(checks) == 1
    assert pictures.high_frequency(grey) == 0
    np.testing.assert_allclose(pictures.high_frequency(checks), 1, rtol=1e-5)
    np.testing.assert_allclose(pictures.high_frequency(waves), 0, atol=1e-5)
    assert pictures.saturated(grey) == 0 and pictures.saturated(checks) == 1
