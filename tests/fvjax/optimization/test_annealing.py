"""Annealed penalties: off by default, in the same program, 0 until the direction has begun."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import composed
from jax import Array

import fvjax
from fvjax.models import Model, Record
from fvjax.models.tiny import tiny
from fvjax.objectives.objective import as_objective
from fvjax.ops import layers
from fvjax.transforms import Identity
from sweeps.planning.build import build

MODEL = tiny()


def one(_activations: Any, _direction: Any) -> Array:
    return jnp.ones(())


def job(model: Model, penalty: Any, anneal_steps: float, **choices: Any) -> fvjax.Job:
    given: dict[str, Any] = {"objective": fvjax.Dot(), "transform": Identity(), "steps": 12}
    given |= {"penalty": penalty, "anneal_steps": anneal_steps}
    return fvjax.job(model, **given | choices)


def shares(result: fvjax.Result) -> np.ndarray:
    """The share of a penalty that is 1 everywhere, from score = dot - share."""
    return np.asarray(result.history["dot"] - result.history["score"])


def test_the_weight_rises_linearly_and_every_length_is_one_program() -> None:
    run = jax.jit(fvjax.visualize)
    of = {n: run(MODEL, job(MODEL, as_objective(one), n)) for n in (0, 1, 8)}
    assert run._cache_size() == 1  # type: ignore[attr-defined]
    np.testing.assert_allclose(shares(of[0]), 1, atol=1e-5)
    np.testing.assert_allclose(shares(of[1]), [0] + [1] * 11, atol=1e-5)
    np.testing.assert_allclose(shares(of[8]), np.minimum(np.arange(12) / 8, 1), atol=1e-5)
    for result in of.values():  # a constant has no gradient, and evaluations have the whole penalty
        np.testing.assert_array_equal(result.image, of[0].image)
        assert (result.initial_score, result.final_score) == (
            of[0].initial_score,
            of[0].final_score,
        )


@pytest.mark.slow
def test_it_is_everything_that_is_subtracted_and_nothing_else() -> None:
    constant = as_objective(one)
    score = fvjax.Dot() + 2.0 * constant - 3.0 * constant - constant
    result = jax.jit(fvjax.visualize)(MODEL, job(MODEL, None, 4, objective=score))
    np.testing.assert_allclose(shares(result), 4 * np.minimum(np.arange(12) / 4, 1) - 2, atol=1e-5)


def lamp(weights: Array, image: Array, record: Record) -> None:
    """A unit that is the faster the brighter it is, beside one that any light excites."""
    light = jnp.mean(image, (0, 1), keepdims=True).mean(-1, keepdims=True)
    begun = layers.relu(10 * light - weights[None, None], record.redirect)
    record("units", jnp.concatenate([begun, 1 + begun * begun, 0.8 * light], -1))


def dark(shift: float) -> Model:
    return Model.from_function(lamp, jnp.array([shift]), image_size=16)


@pytest.mark.parametrize(("anneal_steps", "begins"), [(0, False), (30, True)])
def test_a_penalty_that_would_win_at_the_start_lets_the_direction_begin(
    anneal_steps: int, begins: bool
) -> None:
    choices: dict[str, Any] = {"channel": 0, "steps": 60}
    choices["objective"] = fvjax.Towards(
        objective=fvjax.Dot(),
        direction=fvjax.Direction(vector=jnp.array([0.0, 1.0, 0.0]), layer="units"),
    )
    penalty = 10.0 * fvjax.Towards(
        objective=fvjax.Dot(),
        direction=fvjax.Direction(vector=jnp.array([0.0, 0.0, 1.0]), layer="units"),
    )
    model = dark(4.95)
    result = jax.jit(fvjax.visualize)(model, job(model, penalty, anneal_steps, **choices))
    assert (model(result.image)["units"][0, 0, 0] > 1) == begins


def test_the_weight_is_0_while_the_direction_is_dead() -> None:
    model = dark(5.2)
    result = jax.jit(fvjax.visualize)(model, job(model, as_objective(one), 4, channel=0))
    begun = int(np.argmax(np.asarray(result.history["dot"]) > 0))
    assert begun > 1  # it was dead, and began
    expected = np.clip((np.arange(12) - begun) / 4, 0, 1)
    np.testing.assert_allclose(shares(result), expected, atol=1e-4)


def test_an_early_stop_waits_for_the_whole_penalty() -> None:
    def bounded(activations: Any, direction: fvjax.Direction) -> Array:
        return jnp.tanh(1e3 * fvjax.Dot()(activations, direction))

    still: dict[str, Any] = {"steps": 300, "objective": bounded, "stop_when_converged": True}
    run = jax.jit(jax.vmap(fvjax.visualize, in_axes=(None, 0)))
    jobs = [job(MODEL, as_objective(one), n, **still) for n in (0, 100)]
    stacked = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(y) for y in x]), *jobs)
    assert run(MODEL, stacked).steps_run.tolist() == [192, 256]


def test_the_command_line_has_it_off_by_default() -> None:
    bare = build(composed("model=tiny", "penalty=orthogonal"))
    annealed = build(composed("model=tiny", "penalty=orthogonal", "anneal_steps=64"))
    assert bare.job.recipe.anneal_steps == 0 and annealed.job.recipe.anneal_steps == 64
    assert jax.tree.structure(bare.job) == jax.tree.structure(annealed.job)
    assert bare.job_id != annealed.job_id
    with pytest.raises(ValueError, match="anneal_steps must be a finite number of at least 0"):
        build(composed("model=tiny", "anneal_steps=-1"))
