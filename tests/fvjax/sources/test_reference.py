"""Directions from reference images: centroids, similar vectors, factors, and mixtures."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources import (
    Centroid,
    Channel,
    DirectionInfo,
    Factor,
    Interpolate,
    InterpolationPath,
    NearestMean,
    Random,
)
from fvjax.sources.setup import Setup

MODEL = fvjax.load("tiny")
NATURAL = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 48))


def vector(info: DirectionInfo) -> np.ndarray:
    assert isinstance(info.direction, fvjax.Direction)
    return np.asarray(info.direction.vector, np.float64)


@pytest.mark.slow
def test_a_centroid_is_the_mean_of_its_class() -> None:
    info = Centroid(attribute="hue", index=2).resolve(
        Setup(MODEL, "conv2", (32, 32), reference=NATURAL)
    )
    labels = np.concatenate([batch.labels for batch in NATURAL.images])[:, 2]
    images = np.concatenate([batch.images for batch in NATURAL.images])[labels == 2]
    expected = np.mean([MODEL(jnp.asarray(i))["conv2"].mean((0, 1)) for i in images], 0)
    np.testing.assert_allclose(vector(info), expected, atol=1e-5)
    assert (info.label, info.kind) == ("conv2:hue=yellow centroid", "point")


@pytest.mark.slow
def test_centroids_need_labels_and_images() -> None:
    with pytest.raises(ValueError, match=r"unknown direction\.attribute 'colour'"):
        Centroid(attribute="colour", index=0).resolve(
            Setup(MODEL, "conv2", (32, 32), reference=NATURAL)
        )
    with pytest.raises(ValueError, match="integer from 0 to 7, got 8"):
        Centroid(attribute="hue", index=8).resolve(
            Setup(MODEL, "conv2", (32, 32), reference=NATURAL)
        )
    few = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 2))
    absent = next(i for i in range(8) if i not in few.images.labels("hue"))
    with pytest.raises(ValueError, match="no reference image has hue="):
        Centroid(attribute="hue", index=absent).resolve(
            Setup(MODEL, "conv2", (32, 32), reference=few)
        )
    with pytest.raises(ValueError, match="needs reference images"):
        Centroid(attribute="hue", index=0).resolve(Setup(MODEL, "conv2", (32, 32)))


@pytest.mark.slow
def test_similar_vectors_are_the_nearest_by_angle() -> None:
    to = Random(seed=3)
    rows, wanted = NATURAL.vectors("conv2"), vector(to.resolve(Setup(MODEL, "conv2", (32, 32))))
    lengths = np.linalg.norm(rows, axis=-1)
    cosines = np.divide(rows @ wanted, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    nearest = np.argsort(-cosines, kind="stable")[:5]
    info = NearestMean(to=to, count=5).resolve(Setup(MODEL, "conv2", (32, 32), reference=NATURAL))
    np.testing.assert_allclose(vector(info), rows[nearest].mean(0), rtol=1e-5)
    assert info.kind == "point" and "mean of 5 similar" in info.label
    with pytest.raises(ValueError, match=r"direction\.count must be an integer"):
        NearestMean(to=to, count=0).resolve(Setup(MODEL, "conv2", (32, 32), reference=NATURAL))


def factors(method: str, count: int = 4, layer: str = "conv2") -> list[DirectionInfo]:
    return [
        Factor(method=method, count=count, index=i, seed=0).resolve(
            Setup(MODEL, layer, (32, 32), reference=NATURAL)
        )
        for i in range(count)
    ]


def test_principal_components_are_orthonormal_and_ordered_by_variance() -> None:
    found = factors("pca")
    rows = np.stack([vector(one) for one in found])
    np.testing.assert_allclose(rows @ rows.T, np.eye(4), atol=1e-5)
    data = NATURAL.vectors("conv2").astype(np.float64)
    variances = (data @ rows.T).var(0)
    assert np.all(np.diff(variances) <= 1e-9)
    share = 100 * variances[0] / data.var(0).sum()
    assert found[0].label == f"conv2:pca 0/4 ({share:.1f} %)" and found[0].kind == "vector"
    scores = (data - data.mean(0)) @ rows.T  # turned to where the data reach further
    assert np.all((scores**3).mean(0) >= 0)


@pytest.mark.parametrize("method", ["nmf", "ica", "dictionary"])
def test_factors_are_distinct_vectors(method: str) -> None:
    rows = np.stack([vector(one) for one in factors(method)])
    assert rows.shape == (4, 16) and np.all(np.isfinite(rows))
    units = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    assert np.abs(units @ units.T - np.eye(4)).max() < 0.999
    if method == "nmf":
        assert rows.min() >= 0


@pytest.mark.slow
def test_clusters_are_points_named_by_their_share() -> None:
    found = factors("kmeans")
    shares = [float(one.label.rsplit("(")[1].split()[0]) for one in found]
    assert sum(shares) == pytest.approx(100, abs=0.3) and shares == sorted(shares, reverse=True)
    assert {one.kind for one in found} == {"point"}


def test_a_fit_is_made_once() -> None:
    said: list[str] = []
    reference = ReferenceStatistics(
        MODEL, ReferenceImages("generated", (32, 32), 8), announce=said.append
    )
    for index in (0, 1):
        Factor(method="pca", count=2, index=index, seed=0).resolve(
            Setup(MODEL, "conv2", (32, 32), reference=reference)
        )
    assert said == ["vectors of conv2", "pca 2 seed 0 of conv2"]


def test_factors_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"nmf needs activations that are never negative, .*-"):
        factors("nmf", layer="conv2_pre_relu")
    with pytest.raises(ValueError, match=r"unknown direction\.method 'umap'"):
        factors("umap")
    with pytest.raises(ValueError, match=r"direction\.count must be an integer from 1 to 16"):
        factors("pca", count=17)
    with pytest.raises(ValueError, match=r"direction\.index must be an integer from 0 to 3"):
        Factor(method="pca", count=4, index=4, seed=0).resolve(
            Setup(MODEL, "conv2", (32, 32), reference=NATURAL)
        )


def test_between_is_linear_in_the_mix() -> None:
    ends: Any = {"first": Channel(index=1), "second": Channel(index=4)}
    found = {
        m: vector(Interpolate(**ends, mix=m).resolve(Setup(MODEL, "conv2", (32, 32))))
        for m in (0.0, 0.25, 1.0)
    }
    np.testing.assert_allclose(found[0.25], 0.75 * found[0.0] + 0.25 * found[1.0])
    assert found[0.0][1] == 1 and found[1.0][4] == 1
    assert Interpolate(**ends, mix=0.25).resolve(Setup(MODEL, "conv2", (32, 32))).kind == "covector"
    path = InterpolationPath(**ends).resolve(Setup(MODEL, "conv2", (32, 32))).direction
    assert isinstance(path, fvjax.Interpolation)
    np.testing.assert_allclose(path.at(0.25).vector, found[0.25])


def test_only_directions_of_one_kind_are_mixed() -> None:
    with pytest.raises(ValueError, match=r"of one kind .* covector of conv2, .* a vector of conv2"):
        Interpolate(first=Channel(index=1), second=Random(seed=0), mix=0.5).resolve(
            Setup(MODEL, "conv2", (32, 32))
        )
    same = {"first": Channel(index=1), "second": Channel(index=1)}
    with pytest.raises(ValueError, match=r"cancel at direction\.mix=inf|mix must be a finite"):
        Interpolate(**same, mix=float("inf")).resolve(Setup(MODEL, "conv2", (32, 32)))
