"""Objectives by examples: equal distributions match, an anchored layer stays as it was."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from cases import CHANNELS, DIRECTION, LUCID, PHOTO

import fvjax
from fvjax.models.tiny import tiny
from fvjax.optimization.score import score_of
from fvjax.transforms import Identity

MODEL = tiny()


def test_what_is_distributed_as_the_target_matches_wherever_it_lies() -> None:
    a = jax.random.normal(jax.random.key(0), (4, 6, CHANNELS))
    target = jnp.sort(a.reshape(-1, CHANNELS), 0)
    objective = fvjax.Match(target=target)
    mixed = jax.random.permutation(jax.random.key(1), a.reshape(-1, CHANNELS)).reshape(a.shape)
    assert float(objective({"conv2": a}, DIRECTION)) == 0 == objective({"conv2": mixed}, DIRECTION)
    assert float(objective({"conv2": 0 * a}, DIRECTION)) == pytest.approx(-1)
    doubled = float(objective({"conv2": 2 * a}, DIRECTION))
    assert doubled == pytest.approx(-1, rel=1e-5)
    with pytest.raises(ValueError, match="does not fit"):
        objective({"conv2": a[:2]}, DIRECTION)


def job(penalty: Any, **choices: Any) -> fvjax.Job:
    start = fvjax.Pixels(image_size=32, stddev=0.0, start=PHOTO)
    given: dict[str, Any] = {"parameterization": start, "objective": fvjax.Dot(), "steps": 12}
    return fvjax.job(MODEL, **given | {"penalty": penalty, "channel": 3} | choices)


def seen(key: Any, image: Any, number: Any) -> Any:
    del number
    return LUCID(key, image)


def test_at_the_photograph_the_anchor_costs_nothing_under_every_view() -> None:
    penalty = fvjax.Anchor(layer="conv1", image=PHOTO)
    for key in jax.random.split(jax.random.key(0), 3):
        score, _ = score_of(MODEL, job(None, objective=penalty), PHOTO, partial(seen, key))
        assert float(score) == pytest.approx(0, abs=1e-9)
    other, _ = score_of(MODEL, job(None, objective=penalty), 1 - PHOTO)
    a, b = MODEL(1 - PHOTO)["conv1"], MODEL(PHOTO)["conv1"]
    assert float(other) == pytest.approx(float(((a - b) ** 2).mean() / (b**2).mean()), rel=1e-4)


@pytest.mark.parametrize("layer", ["conv1", "image"])
def test_accentuation_excites_the_direction_and_keeps_the_anchored_layer(layer: str) -> None:
    run = jax.jit(fvjax.visualize)
    penalty = fvjax.Anchor(layer=layer, image=PHOTO)
    weights = (0.0, 100.0)
    free, held = (run(MODEL, job(w * penalty, transform=Identity())) for w in weights)

    def distance(result: fvjax.Result) -> float:
        both = [{**MODEL(image), "image": image}[layer] for image in (result.image, PHOTO)]
        return float(jnp.mean((both[0] - both[1]) ** 2))

    assert distance(held) < 0.5 * distance(free)
    dots = [float(MODEL(image)["conv2"][..., 3].mean()) for image in (PHOTO, held.image)]
    assert dots[1] > dots[0]
    assert held.initial_score == pytest.approx(dots[0], rel=1e-4)


def test_an_anchor_without_its_photograph_s_activations_is_refused() -> None:
    with pytest.raises(ValueError, match="Anchor needs 'conv1@anchor'"):
        fvjax.Anchor(layer="conv1", image=PHOTO)({"conv1": jnp.ones((2, 2, 3))}, DIRECTION)
