"""Scores against the truth by hand, and optima on paper that can be worked out."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import fvjax
from fvjax.metrics.ground_truth import content, content_metrics
from fvjax.metrics.ideal_optimum import Optimum, activations_at_position, optimum
from fvjax.models import Model
from fvjax.models.planted import planted, vectors_of
from fvjax.sources.planted import picture

NOTHING, PURE = jnp.zeros(4), jnp.eye(4)
dot = fvjax.DotCosine(exponent=0.0, floor=0.1)
rest = fvjax.OrthogonalNorm(squared=False)
best, write = jax.jit(optimum), jax.jit(activations_at_position)


def scored(*found: float, index: int = 0, grey: Array = NOTHING, oracle: Array = PURE) -> Any:
    made = content_metrics(jnp.array(found), index, grey, oracle)
    return {name: float(value) for name, value in made.items()}


def test_scores_of_a_mixture_by_hand() -> None:
    made = scored(0.6, 0.2, 0.0, 0.4)
    assert made == pytest.approx(
        {"strength": 0.6, "margin": 0.2, "recovered": 1.0, "purity": 0.6 / 1.2}
    )
    made = scored(0.6, 0.2, 0.0, 0.4, index=3)
    assert made == pytest.approx(
        {"strength": 0.4, "margin": -0.2, "recovered": 0.0, "purity": 0.4 / 1.2}
    )


def test_content_counts_by_the_oracle_s_most_less_grey_and_purity_by_its_own() -> None:
    oracle = jnp.array([[0.8, 0.1, 0.0, 0.0], [0.0, 0.5, 0.0, 0.1], [0.0] * 4, [0.0, 0, 0, 1]])
    grey = jnp.array([0.08, 0.0, 0.0, 0.0])
    made = scored(0.48, 0.2, 0.0, 0.0, grey=grey, oracle=oracle)
    f0, f1 = (0.48 - 0.08) / 0.8, 0.2 / 0.5
    best = 0.9 / (0.9 + 0.1 / 0.5)
    assert made["strength"] == pytest.approx(f0)
    assert made["margin"] == pytest.approx(f0 - f1)
    assert made["recovered"] == 0  # exactly at .1, it is not above
    assert made["purity"] == pytest.approx(f0 / (f0 + f1) / best)


def test_an_oracle_s_image_has_purity_1_and_a_grey_one_none() -> None:
    oracle = jnp.array([[0.8, 0.1, 0.1, 0.0], [0.2, 0.9, 0, 0], [0, 0, 0.7, 0.1], [0, 0, 0.2, 1]])
    for index in range(4):
        made = content_metrics(oracle[index], index, NOTHING, oracle)
        assert made["purity"] == pytest.approx(1)
        assert made["strength"] == pytest.approx(1)
    silent = scored(0.02, 0.02, 0.0, 0.0)
    assert np.isnan(silent["purity"]) and silent["recovered"] == 0
    assert np.isnan(scored(np.nan, 0.2, 0, 0)["recovered"])


def test_chance_is_one_share() -> None:
    assert scored(0.7, 0.7, 0.7, 0.7, index=2)["purity"] == pytest.approx(1 / 4)


@pytest.fixture(scope="module")
def orthogonal() -> Model:
    return world("orthogonal", 0.0)


def world(geometry: str, severity: float, orientations: int = 4) -> Model:
    return planted(geometry=geometry, severity=severity, orientations=orientations)


@jax.jit
def look(model: Model, image: Array) -> Any:
    return model(image)


def test_content_is_the_mean_over_the_objective_s_positions(orthogonal: Model) -> None:
    image = jnp.asarray(picture([6], 40, 4)).at[:, 20:].set(0.5)
    seen = look(orthogonal, image)
    everywhere, centre = None, jnp.array([3, 3])
    np.testing.assert_allclose(content(seen, everywhere), seen["features"].mean((0, 1)), rtol=1e-6)
    np.testing.assert_array_equal(content(seen, centre), seen["features"][3, 3])
    assert content(seen, everywhere)[6] > 0.3
    np.testing.assert_array_equal(content(seen, centre, "decoys"), seen["decoys"][3, 3])


@pytest.mark.parametrize("geometry", ["skewed", "exciting", "cheap"])
def test_on_paper_a_position_is_what_the_network_records(geometry: str, key: Array) -> None:
    model = world(geometry, 0.7)
    seen = look(model, jax.random.uniform(key, (40, 40, 3)))
    here = jnp.concatenate([seen["features"], seen["decoys"]], -1)[2, 3]
    for layer, activation in write(model, here).items():
        np.testing.assert_allclose(activation[0, 0], seen[layer][2, 3], atol=1e-6)


def of(model: Model, score: fvjax.Objective, index: int = 0) -> tuple[Optimum, float]:
    """The optimum for a feature, and the feature's share in it."""
    score = jax.tree.map(jnp.float32, score)
    vector = vectors_of(model, "mixed")[index]
    found = best(model, score, fvjax.Direction(vector=vector, layer="mixed"))
    return found, float(found.features[index] / found.features.sum())


def cosine_to(exponent: float) -> fvjax.DotCosine:
    return fvjax.DotCosine(exponent=exponent, floor=0.1)


@pytest.mark.parametrize(
    ("score", "share"),
    [
        (cosine_to(0), 1 / 16),
        (cosine_to(2), 1 / 16),
        (cosine_to(4), 1 / 16),
        (cosine_to(8), 0.77),
        (dot - 0.3 * rest, 1 / 16),
        (dot - 1.0 * rest, 1.0),
        (fvjax.Cosine(), 1.0),
        (fvjax.Inversion(), 1.0),
    ],
    ids=["dot", "cos2", "cos4", "cos8", "orthogonal .3", "orthogonal 1", "cosine", "inversion"],
)
def test_optima_of_sixteen_features_at_cosine_one_half(score: Any, share: float) -> None:
    """All other features at one level, the share follows from a line search over that level."""
    found, mine = of(world("skewed", 0.5, orientations=2), score)
    assert mine == pytest.approx(share, abs=0.01)
    assert not np.any(found.decoys)
    others = found.features[1:]
    np.testing.assert_allclose(others, others.mean(), atol=0.01)


def test_a_dot_product_wants_whatever_is_on_its_side() -> None:
    model = world("random", 0.5)
    rows = np.asarray(vectors_of(model, "mixed"))
    found, _ = of(model, dot, 22)  # orthogonal to none: rounding would decide the sign of a 0
    np.testing.assert_allclose(found.features, rows @ rows[22] > 0, atol=1e-3)
    assert found.score == pytest.approx(np.maximum(rows @ rows[22], 0).sum(), rel=1e-4)


def test_only_a_dot_product_wants_contrast_that_excites_everything() -> None:
    model = world("exciting", 1.0)
    fooled, _ = of(model, dot, 4)
    assert fooled.decoys.max() == 1 and fooled.score == pytest.approx(2, rel=1e-4)
    assert of(model, cosine_to(8), 4)[0].decoys.max() < 0.01
    assert of(model, fvjax.Cosine(), 4)[0].decoys.max() < 0.01


def test_a_penalty_on_the_layer_before_silences_cheap_decoys_and_not_exciting_contrast() -> None:
    # Mean over 36 units: at weight 18, half of what a unit's activation gives the feature.
    penalized = dot - 18.0 * fvjax.ActivationNorm(layer="previous", order=1)
    for geometry, decoys in (("cheap", 0.0), ("exciting", 1.0)):
        model = world(geometry, 1.0)
        assert of(model, dot, 4)[0].decoys.max() == 1
        found, share = of(model, penalized, 4)
        assert found.decoys.max() == decoys
        assert share == pytest.approx(1) and found.features[4] == 1


def test_optima_of_several_jobs_are_one_program() -> None:
    model = world("paired", 0.5)
    several = fvjax.DotCosine(exponent=jnp.array([0.0, 8.0]), floor=jnp.full(2, 0.1))
    vectors = vectors_of(model, "mixed")[jnp.array([1, 2])]
    directions = fvjax.Direction(vector=vectors, layer="mixed")
    found = jax.jit(jax.vmap(optimum, (None, 0, 0)))(model, several, directions)
    for lane, (exponent, index) in enumerate(((0.0, 1), (8.0, 2))):
        alone, _ = of(model, cosine_to(exponent), index)
        np.testing.assert_allclose(found.features[lane], alone.features, atol=1e-3)
    assert found.features[0, 17] == pytest.approx(1) and found.features[1, 18] < 0.2


def test_no_picture_is_no_score_on_paper(orthogonal: Model) -> None:
    with pytest.raises(ValueError, match="unknown layer 'image'"):
        of(orthogonal, dot - 0.1 * fvjax.TotalVariation())
    elsewhere = fvjax.Direction(vector=jnp.ones(32), layer="mixd")
    with pytest.raises(ValueError, match=r"unknown layer 'mixd'.*did you mean mixed"):
        optimum(orthogonal, dot, elsewhere)
