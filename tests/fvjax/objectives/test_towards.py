"""Objectives with directions of their own, and what reviving and `dead` follow."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import fvjax
from fvjax.models.tiny import tiny
from fvjax.transforms import Identity

MODEL = tiny()


def unit(layer: str, channel: int, position: Any = None) -> fvjax.Direction:
    channels = MODEL.layers[layer][-1]
    place = None if position is None else jnp.asarray(position, jnp.int32)
    vector = jax.nn.one_hot(channel, channels)
    return fvjax.Direction(vector=vector, layer=layer, position=place)


def run(objective: Any, model: fvjax.Model = MODEL, **keys: Any) -> fvjax.Result:
    job = fvjax.job(model, objective=objective, transform=Identity(), steps=20, **keys)
    result: fvjax.Result = jax.jit(fvjax.visualize)(model, job)
    return result


def test_towards_reads_its_own_direction_at_its_position() -> None:
    activations = MODEL(jax.random.uniform(jax.random.key(0), (32, 32, 3)))
    other = unit("conv1", 3, (2, 5))
    found = fvjax.Towards(objective=fvjax.Dot(), direction=other)(activations, unit("conv2", 0))
    assert float(found) == pytest.approx(float(activations["conv1"][2, 5, 3]), rel=1e-5)


@pytest.mark.slow
def test_one_image_excites_units_of_two_layers() -> None:
    other = unit("conv1", 2)
    alone = run(fvjax.Dot(), layer="conv2", channel=5)
    both = run(
        fvjax.Dot() + 20.0 * fvjax.Towards(objective=fvjax.Dot(), direction=other),
        layer="conv2",
        channel=5,
    )
    first = [float(MODEL(r.image)["conv1"][..., 2].mean()) for r in (alone, both)]
    assert first[1] > 1.2 * first[0]
    assert float(MODEL(both.image)["conv2"][..., 5].mean()) > 0


@pytest.mark.slow
def test_several_images_share_a_direction_of_their_own() -> None:
    towards = fvjax.Towards(objective=fvjax.Cosine(), direction=unit("conv1", 2))
    single = run(towards, channel=5)
    several = run(towards, channel=5, images_per_job=3)
    assert several.final_score.shape == ()
    assert float(several.final_score) == pytest.approx(float(single.final_score), abs=0.2)


def dead_model() -> fvjax.Model:
    """A network whose channel 0 of `second` never exceeds 0, whatever the image."""

    def apply(weights: Any, image: Array, record: Any) -> None:
        x = record("first", jnp.maximum(image - 0.3, 0))
        scale = jnp.array([[[-1.0, 1.0, 1.0]]])
        record("second", jnp.maximum(x * scale * weights["scale"], 0))

    return fvjax.Model.from_function(apply, {"scale": jnp.ones(())}, image_size=16)


def gram(activations: Any, direction: fvjax.Direction) -> Array:
    a = activations["second"].reshape(-1, 3)
    return jnp.mean((a.T @ a) ** 2) / len(a)


@pytest.mark.slow
def test_dead_follows_the_directions_that_the_objective_reads() -> None:
    model = dead_model()
    silent = fvjax.Direction(vector=jax.nn.one_hot(0, 3), layer="second")
    loud = fvjax.Direction(vector=jax.nn.one_hot(1, 3), layer="second")
    assert bool(run(fvjax.Dot(), model, direction=silent).dead)
    assert bool(run(fvjax.Dot() - 0.1 * fvjax.TotalVariation(), model, direction=silent).dead)
    towards = fvjax.Towards(objective=fvjax.Dot(), direction=loud)
    assert not bool(run(towards, model, direction=silent).dead)
    assert not bool(run(gram, model, direction=silent).dead)
    assert not bool(run(fvjax.Dot() + towards, model, direction=silent).dead)
    assert bool(run(0.1 * fvjax.Towards(objective=fvjax.Dot(), direction=silent), model).dead)


@pytest.mark.slow
def test_an_objective_that_becomes_flat_is_not_dead() -> None:
    def capped(activations: Any, direction: fvjax.Direction) -> Array:
        return jnp.minimum(fvjax.Dot()(activations, direction), 0.21)

    def hinge(activations: Any, direction: fvjax.Direction) -> Array:
        return -jnp.maximum(fvjax.Dot()(activations, direction) - 0.15, 0)

    model = dead_model()
    loud = fvjax.Direction(vector=jax.nn.one_hot(1, 3), layer="second")
    for objective in (capped, hinge):
        result = run(objective, model, direction=loud)
        assert float(result.history["gradient_norm"][-1]) == 0
        assert not bool(result.dead)


@dataclasses.dataclass
class Peak:
    """A plain dataclass: `sharpness` is a leaf, `name` is static."""

    sharpness: float = 2.0
    name: str = "conv2"

    def __call__(self, activations: Any, direction: fvjax.Direction) -> Array:
        assert self.name == "conv2"
        a, v = fvjax.activations_at(activations, direction)
        return jax.nn.logsumexp(self.sharpness * jnp.sum(a * v, -1)) / self.sharpness


class Plain:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, activations: Any, direction: fvjax.Direction) -> Array:
        return self.weight * fvjax.Dot()(activations, direction)


class Undecorated(fvjax.Objective):
    def __call__(self, activations: Any, direction: fvjax.Direction) -> Array:
        return fvjax.Cosine()(activations, direction)


def total(activations: Any, direction: fvjax.Direction) -> Array:
    return fvjax.Dot()(activations, direction)


@pytest.mark.parametrize("objective", [Peak(), Plain(2.0), Undecorated(), total])
def test_functions_and_plain_classes_are_objectives(objective: Any) -> None:
    activations, d = MODEL(jnp.full((32, 32, 3), 0.4)), unit("conv2", 5)
    alone = float(objective(activations, d))
    result = run(objective, channel=5)
    assert result.final_score > result.initial_score
    made = fvjax.job(MODEL, objective=objective, penalty=fvjax.TotalVariation()).recipe.objective
    assert float(made(activations, d)) == pytest.approx(alone, abs=1e-5)
    halved = 0.5 * made + fvjax.Cosine() - fvjax.Cosine()
    assert float(halved(activations, d)) == pytest.approx(alone / 2, abs=1e-5)


@pytest.mark.slow
def test_numbers_of_a_plain_class_vary_inside_one_program() -> None:
    jobs = [fvjax.job(MODEL, objective=Peak(sharpness=s), steps=2) for s in (1.0, 4.0)]
    structures = [jax.tree.structure(job) for job in jobs]
    assert structures[0] == structures[1]
    other = fvjax.job(MODEL, objective=Peak(name="conv1"), steps=2)
    assert jax.tree.structure(other) != structures[0]
    scores = [float(r.initial_score) for r in fvjax.visualize_many(MODEL, jobs)]
    assert scores[0] != scores[1]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [3, "dot", Peak, None])
def test_what_is_no_objective_is_refused_in_one_sentence(bad: Any) -> None:
    if bad is not None:
        with pytest.raises(ValueError, match=r"a function f\(activations, direction\)"):
            fvjax.job(MODEL, objective=bad)
    with pytest.raises(ValueError, match="objective"):
        bad - fvjax.Dot()


def test_an_attribute_that_jax_cannot_hold_is_refused() -> None:
    class Odd:
        def __init__(self) -> None:
            self.table = {"a": 1}

        def __call__(self, activations: Any, direction: fvjax.Direction) -> Array:
            return jnp.zeros(())

    with pytest.raises(ValueError, match="table of Odd must be a number"):
        fvjax.job(MODEL, objective=Odd())


def test_an_objective_of_several_numbers_is_refused() -> None:
    def wrong(activations: Any, direction: fvjax.Direction) -> Array:
        return activations["conv2"]

    with pytest.raises(ValueError, match="an objective must return one number"):
        fvjax.visualize(MODEL, fvjax.job(MODEL, objective=wrong, steps=1))


def test_sum_adds_objectives() -> None:
    activations, d = MODEL(jnp.full((32, 32, 3), 0.4)), unit("conv2", 5)
    terms = [fvjax.Dot(), fvjax.Cosine(), Undecorated()]
    expected = sum(float(t(activations, d)) for t in terms)
    np.testing.assert_allclose(float(sum(terms)(activations, d)), expected, rtol=1e-5)
