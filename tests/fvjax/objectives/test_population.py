"""The direction against the others: softmax is a log-probability, differential has a weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CHANNELS, DIRECTION
from jax import Array

import fvjax

ONE = fvjax.Direction(vector=jax.nn.one_hot(3, CHANNELS), layer="conv2")
ONES = jnp.ones(CHANNELS)


def softmax(temperature: float = 1.0, rivals: Array = ONES) -> fvjax.Softmax:
    return fvjax.Softmax(rivals=rivals, mean=0 * ONES, stddev=ONES, temperature=temperature)


def logits(seed: int = 0) -> dict[str, Array]:
    return {"conv2": 3 * jax.random.normal(jax.random.key(seed), (CHANNELS,))}


def test_of_a_logit_it_is_the_log_probability_inside_the_head() -> None:
    seen, head = logits(), jnp.arange(CHANNELS) < 6
    expected = jax.nn.log_softmax(seen["conv2"][:6])[3]
    np.testing.assert_allclose(softmax(rivals=head * 1.0)(seen, ONE), expected, rtol=1e-5)


def test_a_constant_added_to_all_logits_changes_nothing() -> None:
    seen = logits()
    moved = {"conv2": seen["conv2"] + 50.0}
    for temperature in (0.5, 1.0, 4.0):
        score = softmax(temperature)
        np.testing.assert_allclose(score(moved, ONE), score(seen, ONE), atol=2e-5)


def test_a_low_temperature_subtracts_the_largest_rival() -> None:
    seen = logits(1)
    others = ONES.at[3].set(0.0)
    found = softmax(1e-3, others)(seen, ONE)
    expected = seen["conv2"][3] - jnp.max(jnp.where(others > 0, seen["conv2"], -jnp.inf))
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_channels_are_standardised_and_constant_ones_left_out() -> None:
    a = jax.random.normal(jax.random.key(2), (5, 5, CHANNELS))
    mean, stddev = jnp.linspace(-1, 1, CHANNELS), jnp.linspace(0, 2, CHANNELS)
    score = fvjax.Softmax(
        rivals=ONES, mean=mean, stddev=stddev, along_mean=mean[3], along=stddev[3], temperature=2.0
    )
    z = ((a.mean((0, 1)) - mean) / stddev)[1:]
    expected = z[2] - 2.0 * jax.nn.logsumexp(z / 2.0)
    np.testing.assert_allclose(score({"conv2": a}, ONE), expected, rtol=1e-4)
    assert expected < 0


def test_the_weight_of_differential_scales_the_average_alone() -> None:
    a = jax.random.normal(jax.random.key(3), (5, 5, CHANNELS))
    stddev = jnp.linspace(0.5, 2, CHANNELS)

    def score(weight: float) -> float:
        objective = fvjax.Differential(along=1.5, stddev=stddev, weight=weight)
        return float(objective({"conv2": a}, DIRECTION))

    average = float(jnp.mean(a.mean((0, 1)) / stddev))
    assert score(0.0) - score(1.0) == pytest.approx(average, abs=1e-5)
    assert score(0.0) - score(3.0) == pytest.approx(3 * average, abs=1e-5)
    dot = fvjax.Dot()({"conv2": a}, DIRECTION) / 1.5
    assert score(0.0) == pytest.approx(float(dot), rel=1e-5)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_wrong_numbers_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="temperature must be a positive finite number"):
        softmax(wrong)
    if wrong:
        with pytest.raises(ValueError, match="weight must be a finite number of at least 0"):
            fvjax.Differential(along=1.0, stddev=ONES, weight=wrong)
