"""Pictures against reference images, compared with independent computations."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fvjax
from fvjax.metrics.context import transfer
from fvjax.reference.covariance import power, shrunk, whitening
from fvjax.reference.distances import (
    ReferenceDistribution,
    fit_distribution,
    nearest,
    standardize_projection,
)
from fvjax.reference.moments import Statistics, observed
from fvjax.transforms import Identity
from sweeps.planning.metric_inputs import concept_of

MODEL = fvjax.load("tiny")
LABELS = np.stack([np.arange(60) % 3, np.arange(60) % 2], -1)


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    draws = np.random.default_rng(0)
    a = draws.normal(size=(60, 4, 4, 16)) @ draws.normal(size=(16, 16)) + 1
    a = a + LABELS[:, 0, None, None, None] * 2.0
    a[..., 7] = 2.0  # never varies
    return observed(a, np.arange(60), LABELS)


@pytest.fixture(scope="module")
def found(statistics: Statistics) -> ReferenceDistribution:
    return fit_distribution(statistics, whitening(statistics, 0.2, "conv2"), 0.2, centered=False)


def measured(
    found: ReferenceDistribution, vector: Any, whitened: Any, objective: Any = None
) -> dict[str, float]:
    direction = fvjax.Direction(vector=jnp.asarray(vector, jnp.float32), layer="conv2")
    image = jax.random.uniform(jax.random.key(3), (32, 32, 3))
    focus = (objective or fvjax.Cosine()).focus

    def run(model: fvjax.Model, found: ReferenceDistribution) -> dict[str, Any]:
        there = jnp.asarray(whitened, jnp.float32)
        return fvjax.measure(model, direction, image, Identity(), focus, found, there)

    return {name: float(value) for name, value in jax.jit(run)(MODEL, found).items()}


def test_excitation_and_whitened_metrics_are_those_of_the_formula(
    statistics: Statistics, found: ReferenceDistribution
) -> None:
    vector = np.random.default_rng(1).normal(size=16)
    affine_map = whitening(statistics, 0.2, "conv2")
    w = affine_map(vector, "vector")
    told = measured(found, vector, w)
    image = jax.random.uniform(jax.random.key(3), (32, 32, 3))
    a = np.asarray(MODEL(image)["conv2"], np.float64).reshape(-1, 16)
    alive = np.arange(16) != 7
    z = (a.mean(0) - statistics.means.mean(0)) / np.where(alive, statistics.means.std(0), 1)
    assert told["excitation"] == pytest.approx(z[alive].mean(), rel=1e-3)
    x = (a - statistics.mean) @ power(shrunk(statistics.covariance, 0.2), -0.5)
    assert told["mahalanobis"] == pytest.approx(np.sqrt((x**2).mean()), rel=1e-3)
    cosine = x @ w / np.linalg.norm(x, axis=-1) / np.linalg.norm(w)
    assert told["whitened_cosine"] == pytest.approx(cosine.mean(), abs=1e-4)


def test_at_the_centre_the_centre_is_compared(statistics: Statistics) -> None:
    found = fit_distribution(statistics, whitening(statistics, 0.2, "conv2"), 0.2, centered=True)
    np.testing.assert_allclose(found.mean, statistics.centers.mean(0), rtol=1e-5)
    vector = np.eye(16)[2]
    told = measured(found, vector, vector, fvjax.AtCenter(objective=fvjax.Cosine()))
    image = jax.random.uniform(jax.random.key(3), (32, 32, 3))
    a = np.asarray(MODEL(image)["conv2"], np.float64)[8, 8]
    alive = np.arange(16) != 7
    deviation = np.where(alive, statistics.centers.std(0), 1)
    z = (a - statistics.centers.mean(0)) / deviation
    assert told["excitation"] == pytest.approx(z[alive].mean(), rel=1e-3)


def test_reference_images_have_mahalanobis_one_and_excitation_zero(
    statistics: Statistics,
) -> None:
    """Over all of them, and without shrinkage of what varies."""
    a = np.random.default_rng(0).normal(size=(50, 3, 3, 16))
    plain = observed(a, np.arange(50), np.zeros((50, 0), int))
    affine_map = whitening(plain, 0.0, "conv2")
    x = (a.reshape(-1, 16) - affine_map.mean) @ affine_map.matrix
    assert np.sqrt((x**2).mean()) == pytest.approx(1)
    assert fit_distribution(plain, affine_map, 0.0, centered=False).attributes == ()


def test_a_class_s_own_centroid_is_at_distance_zero(
    statistics: Statistics, found: ReferenceDistribution
) -> None:
    for head, labels in zip(found.attributes, LABELS.T, strict=True):
        centroid = statistics.means[labels == 1].mean(0)
        first, second = nearest(jnp.asarray(centroid, jnp.float32), head)
        # float32, in coordinates in which centroids lie far from 0
        assert float(first) < 1e-2 * float(second)


def test_distances_are_mahalanobis_distances_with_the_shared_covariance(
    statistics: Statistics, found: ReferenceDistribution
) -> None:
    labels, rows = LABELS[:, 0], statistics.means.astype(np.float64)
    centroids = np.stack([rows[labels == k].mean(0) for k in range(3)])
    within = rows - centroids[labels]
    inverse = np.linalg.inv(shrunk(within.T @ within / 60, 0.2))
    x = rows[4]
    apart = np.sort([np.sqrt((x - c) @ inverse @ (x - c)) for c in centroids])
    np.testing.assert_allclose(
        nearest(jnp.asarray(x, jnp.float32), found.attributes[0]), apart[:2], rtol=1e-3
    )


def test_where_a_value_stands() -> None:
    told = standardize_projection(3.0, [0.0, 1.0, 2.0, 4.0])
    assert told["reference_percentile"] == 75 and told["reference_ratio"] == 0.75
    assert told["reference_z"] == pytest.approx((3 - 1.75) / np.std([0, 1, 2, 4]))
    assert np.isnan(standardize_projection(1.0, [-2.0, -1.0])["reference_ratio"])
    assert np.isnan(standardize_projection(1.0, [2.0, 2.0])["reference_z"])


def test_a_judge_s_classes_exclude_those_of_their_own_head() -> None:
    texture = concept_of(fvjax.load("texturenet_judge"), "texture=checker")
    assert texture is not None and int(texture.index) == 10
    assert np.flatnonzero(texture.rivals).tolist() == list(range(8, 16))
    plain = concept_of(MODEL, "class=3")
    assert plain is not None and int(plain.index) == 3 and bool(plain.rivals.all())
    for name in (None, "texture=tartan", "class=10", "class=last"):
        assert concept_of(MODEL, name) is None
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3))
    logits = np.asarray(MODEL(image)["logits"], np.float64)
    expected = np.exp(logits[3]) / np.exp(logits).sum()
    assert float(transfer(MODEL, image, plain)) == pytest.approx(expected, rel=1e-4)
