"""Penalties that need more than activations: irrelevant units, balance, sets of images."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DIRECTION, LUCID, PARAMETERIZATIONS
from jax import Array

import fvjax
from fvjax.models import Model, Record
from fvjax.objectives.penalties import irrelevance
from fvjax.optimization.gradient_balance import SEEDS, balanced
from fvjax.optimization.score import score_of
from fvjax.transforms import Identity

MODEL = fvjax.load("tiny")
DOT = fvjax.DotCosine(exponent=0.0, floor=0.1)
ORTHOGONAL = fvjax.OrthogonalNorm(squared=False)


def job(objective: Any, steps: int = 6, images_per_job: int = 1, **others: Any) -> fvjax.Job:
    recipe = fvjax.Recipe(
        objective=objective,
        parameterization=PARAMETERIZATIONS["fourier"],
        transform=others.pop("transform", LUCID),
        learning_rate=0.05,
        steps=steps,
        optimizer="adam",
        images_per_job=images_per_job,
    )
    direction = others.pop("direction", DIRECTION)
    return fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(1))


def network(weights: Any, image: Array, record: Record) -> None:
    """Two layers; the second reads the first half of the first alone."""
    x = record("first", image @ weights["a"])
    record("second", x[..., :2] @ weights["b"])


def small() -> Model:
    draws = np.random.default_rng(0)
    weights = {"a": draws.normal(size=(3, 4)), "b": draws.normal(size=(2, 3))}
    weights = {n: w.astype(np.float32) for n, w in weights.items()}
    return Model.from_function(network, weights, image_size=(16, 16))


def test_units_that_do_not_serve_the_score_are_penalised_in_full() -> None:
    model, vector = small(), np.array([1.0, -0.5, 2.0])
    direction = fvjax.Direction(vector=jnp.asarray(vector, jnp.float32), layer="second")
    penalty = fvjax.IrrelevantNorm(layer="first", order=1)
    image = jax.random.uniform(jax.random.key(0), (16, 16, 3))
    one = job(DOT - 0.7 * penalty, direction=direction, transform=Identity())
    score, _ = score_of(model, one, image)
    a = np.asarray(image, np.float64) @ np.asarray(model.weights["a"], np.float64)
    slope = np.zeros((16, 16, 4))
    unit = vector / np.linalg.norm(vector)
    slope[..., :2] = np.asarray(model.weights["b"], np.float64) @ unit / 256
    relevance = np.abs(a * slope)
    weights = 1 - relevance / relevance.max()
    assert np.all(weights[..., 2:] == 1) and weights.min() == 0
    dot = (a[..., :2] @ np.asarray(model.weights["b"], np.float64) @ unit).mean()
    expected = dot - 0.7 * (weights * np.abs(a)).mean()
    assert float(score) == pytest.approx(expected, rel=1e-4)


def test_irrelevance_is_constant_for_the_image_s_gradient() -> None:
    one = job(fvjax.IrrelevantNorm(layer="conv1", order=2), transform=Identity())
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3))
    weights = np.ones((16, 16, 8))  # nothing serves a score of 0
    slope = jax.grad(lambda i: score_of(MODEL, one, i)[0])(image)
    expected = jax.grad(lambda i: jnp.mean(weights * MODEL(i)["conv1"] ** 2))(image)
    np.testing.assert_allclose(slope, expected, atol=1e-8)


def test_irrelevance_without_its_weights_is_refused() -> None:
    penalty = fvjax.IrrelevantNorm(layer="conv1", order=1)
    with pytest.raises(ValueError, match=r"needs 'conv1@irrelevance'"):
        penalty({"conv1": jnp.ones((2, 2, 3))}, DIRECTION)
    ones = {"conv1": jnp.full((2, 2, 3), -2.0), irrelevance("conv1"): jnp.full((2, 2, 3), 0.5)}
    assert float(penalty(ones, DIRECTION)) == 1.0


def slopes(objective: Any) -> float:
    """Mean length of an objective's gradient at the fixed starts."""
    one = job(objective)

    def length(seed: int) -> Any:
        params = one.recipe.init(jax.random.key(seed))
        gradient = jax.grad(lambda p: score_of(MODEL, one, one.recipe.decode(p), redirect=True)[0])(
            params
        )
        return jnp.linalg.norm(gradient.ravel())

    return float(np.mean([length(seed) for seed in range(SEEDS)]))


@pytest.mark.slow
@pytest.mark.parametrize("score", [DOT, fvjax.Cosine()], ids=["dot", "cosine"])
def test_a_balanced_penalty_weighs_as_much_as_the_score_at_the_start(score: Any) -> None:
    penalised = score - fvjax.Balanced(weight=0.5, penalty=ORTHOGONAL)
    objective: Any = balanced(MODEL, job(penalised)).recipe.objective
    ratio = objective.terms[1].objective.ratio
    assert float(ratio) == pytest.approx(slopes(score) / slopes(ORTHOGONAL), rel=1e-3)


@pytest.mark.slow
def test_balance_does_not_depend_on_weight_or_seed_and_knows_several_penalties() -> None:
    one = fvjax.Balanced(weight=0.0, penalty=ORTHOGONAL)
    other = fvjax.Balanced(weight=3.0, penalty=fvjax.TotalVariation())
    both: Any = balanced(MODEL, job(DOT - one - other)).recipe.objective
    first, second = both.terms[0].terms[1].objective, both.terms[1].objective
    assert float(first.ratio) == pytest.approx(slopes(DOT) / slopes(ORTHOGONAL), rel=1e-3)
    tv = slopes(fvjax.TotalVariation())
    assert float(second.ratio) == pytest.approx(slopes(DOT) / tv, rel=1e-3)
    assert first.weight == 0.0 and second.weight == 3.0


@pytest.mark.slow
def test_balance_makes_the_scale_of_a_penalty_irrelevant() -> None:
    images = []
    for scale in (1.0, 1000.0):
        penalty = fvjax.Balanced(weight=0.5, penalty=scale * ORTHOGONAL)
        images.append(jax.jit(fvjax.visualize)(MODEL, job(DOT - penalty)).image)
    np.testing.assert_allclose(images[0], images[1], atol=1e-4)
    plain = jax.jit(fvjax.visualize)(MODEL, job(DOT)).image
    assert np.abs(images[0] - plain).max() > 1e-3


def test_a_penalty_without_a_gradient_is_not_blown_up() -> None:
    nothing = fvjax.Balanced(weight=1.0, penalty=0.0 * ORTHOGONAL)
    objective: Any = balanced(MODEL, job(DOT - nothing)).recipe.objective
    assert float(objective.terms[1].objective.ratio) == pytest.approx(1e4)


def test_high_frequency_is_the_metric_as_a_penalty() -> None:
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3))
    penalty = fvjax.HighFrequency()
    assert 0.5 < float(penalty({"image": image}, DIRECTION)) < 1
    smooth = jnp.ones((32, 32, 3)) * jnp.linspace(0, 1, 32)[:, None, None]
    assert float(penalty({"image": smooth}, DIRECTION)) < 0.1


def test_differential_is_the_standardised_dot_less_the_mean_over_channels() -> None:
    draws = np.random.default_rng(0)
    a, deviation = draws.normal(size=(3, 3, 16)), draws.uniform(0.5, 2, size=16)
    deviation[4] = 0
    v = np.asarray(DIRECTION.vector, np.float64)
    alive = deviation > 0
    each = (a.mean((0, 1)) / np.where(alive, deviation, 1))[alive]
    expected = (a @ v / np.linalg.norm(v)).mean() / 1.7 - each.mean()
    score = fvjax.Differential(along=1.7, stddev=jnp.asarray(deviation, jnp.float32))
    found = score({"conv2": jnp.asarray(a, jnp.float32)}, DIRECTION)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="standard deviation along the direction"):
        fvjax.Differential(along=0.0, stddev=jnp.ones(16))


def each(direction: Any, count: int = 5) -> Any:
    """The direction of each of several images."""
    return jax.tree.map(lambda x: jnp.stack([x] * count), direction)


def stacked(images: int = 5) -> dict[str, Array]:
    a = np.random.default_rng(0).normal(size=(images, 3, 3, 4))
    return {"conv2": jnp.asarray(a, jnp.float32)}


def test_diversity_is_lucid_s() -> None:
    a = np.asarray(stacked()["conv2"], np.float64).reshape(5, 9, 4)
    grams = [x.T @ x / np.linalg.norm(x.T @ x) for x in a]
    expected = sum(np.sum(grams[i] * grams[j]) for i in range(5) for j in range(5) if i != j) / 5
    found = fvjax.Diversity(layer="conv2").score_batch(stacked(), each(DIRECTION))
    assert float(found) == pytest.approx(expected, rel=1e-4)
    assert float(fvjax.Diversity(layer="conv2")(stacked(), DIRECTION)) == 0


def test_alignment_is_lucid_s_with_the_sign_of_a_penalty() -> None:
    a = np.asarray(stacked()["conv2"], np.float64)
    expected = sum(
        np.mean((a[i] - a[i + k]) ** 2) / 2.0**k for k in range(1, 5) for i in range(5 - k)
    )
    found = fvjax.Alignment(layer="conv2", decay_ratio=2.0).score_batch(stacked(), each(DIRECTION))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_an_objective_of_several_images_is_the_mean_of_theirs() -> None:
    activations = {"conv2": jax.random.normal(jax.random.key(0), (3, 2, 2, 16))}
    direction = replace(DIRECTION, position=jnp.array([1, 1]))
    directions = jax.tree.map(lambda x: jnp.stack([x] * 3), direction)
    score = fvjax.DotCosine() - 0.3 * ORTHOGONAL
    alone = [score({"conv2": a}, direction) for a in activations["conv2"]]
    found = score.score_batch(activations, directions)
    assert float(found) == pytest.approx(float(np.mean(alone)), rel=1e-5)


@pytest.mark.slow
def test_images_made_together_are_several_and_diversity_drives_them_apart() -> None:
    def alike(images: Array) -> float:
        activations = jax.vmap(MODEL)(images)
        return float(fvjax.Diversity(layer="conv2").score_batch(activations, each(DIRECTION, 3)))

    plain = jax.jit(fvjax.visualize)(MODEL, job(DOT, steps=12, images_per_job=3))
    assert plain.image.shape == (3, 32, 32, 3) and plain.history["score"].shape == (12,)
    assert np.abs(plain.image[0] - plain.image[1]).max() > 0.01
    diverse = DOT - 10.0 * fvjax.Diversity(layer="conv2")
    driven = jax.jit(fvjax.visualize)(MODEL, job(diverse, steps=12, images_per_job=3))
    assert alike(driven.image) < alike(plain.image)


@pytest.mark.slow
def test_a_path_gives_each_image_its_own_direction() -> None:
    ends = [fvjax.Direction(vector=jax.nn.one_hot(i, 16), layer="conv2") for i in (2, 5)]
    path = fvjax.Interpolation(first=ends[0], second=ends[1])
    np.testing.assert_allclose(path.at(0.25).vector, 0.75 * ends[0].vector + 0.25 * ends[1].vector)
    result = jax.jit(fvjax.visualize)(MODEL, job(DOT, steps=24, images_per_job=3, direction=path))
    a = np.stack([np.asarray(MODEL(image)["conv2"]).mean((0, 1)) for image in result.image])
    assert a[0, 2] > a[2, 2] and a[2, 5] > a[0, 5]
