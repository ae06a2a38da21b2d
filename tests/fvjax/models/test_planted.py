"""The planted model: its geometries, its truth, what shares a program, and its directions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import task_of
from hydra import compose, initialize_config_dir
from jax import Array

import fvjax
from fvjax.data import gratings
from fvjax.models import Model, Record
from fvjax.models.planted import GEOMETRIES, network, planted, vectors_of
from fvjax.optimization.recipe import as_leaves
from fvjax.sources import Dual, Feature, FeatureImage
from fvjax.sources.planted import picture
from fvjax.sources.setup import Setup
from sweeps.config.paths import CONF
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import group_tasks, signature
from sweeps.planning.plan import build_all
from sweeps.task import Task

K, DECOYS, SIZE = 32, 4, 40
DIALS = {name: (0.1, 0.5, 0.9) for name in GEOMETRIES} | {"superposed": (0.1, 0.5, 1.0)}


def world(geometry: str = "orthogonal", severity: float = 0.0) -> Model:
    return planted(geometry=geometry, severity=severity, orientations=4)


@jax.jit
def look(model: Model, image: Array) -> Any:
    return model(image)


@pytest.fixture(scope="module")
def image() -> Array:
    """Every detector, decoys included, is a little on somewhere."""
    noise = jax.random.uniform(jax.random.key(0), (SIZE, SIZE, 3))
    return 0.5 + 0.5 * (noise - 0.5)


def decoys_alone() -> np.ndarray:
    return gratings.grating(K, SIZE, 4, 0.5)


def vectors(geometry: str, severity: float) -> np.ndarray:
    return np.asarray(vectors_of(world(geometry, severity), "mixed"))


def cosines(geometry: str, severity: float) -> np.ndarray:
    rows = vectors(geometry, severity)
    return (rows @ rows.T)[~np.eye(K, dtype=bool)].reshape(K, K - 1)


def test_layers_and_their_order() -> None:
    model = world()
    assert model.layers == {
        "features": (6, 6, K),
        "decoys": (6, 6, DECOYS),
        "previous": (6, 6, K + DECOYS),
        "mixed": (6, 6, K),
    }
    assert (model.default_layer, model.image_size) == ("mixed", (SIZE, SIZE))
    assert model.previous("mixed") == "previous"
    assert model.previous("features") is None


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_at_dial_0_every_geometry_is_orthogonal(geometry: str, image: Array) -> None:
    plain, other = look(world(), image), look(world(geometry, 0.0), image)
    for layer, activation in plain.items():
        np.testing.assert_allclose(other[layer], activation, atol=1e-6)
    np.testing.assert_array_equal(plain["mixed"], plain["features"])
    assert jnp.all(plain["decoys"].max((0, 1)) > 0.1)
    assert not jnp.any(plain["previous"][..., K:])


def test_orthogonal_ignores_its_dial(image: Array) -> None:
    plain, other = look(world(), image), look(world("orthogonal", 0.7), image)
    np.testing.assert_array_equal(other["mixed"], plain["mixed"])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_feature_vectors_are_of_unit_length_and_a_dial_moves_the_layer(
    geometry: str, image: Array
) -> None:
    seen = [look(world(), image)["mixed"]]
    for severity in DIALS[geometry]:
        np.testing.assert_allclose(
            np.linalg.norm(vectors(geometry, severity), axis=1), 1, rtol=1e-5
        )
        seen.append(look(world(geometry, severity), image)["mixed"])
    moves = [float(jnp.abs(a - seen[0]).max()) for a in seen[1:]]
    assert moves == sorted(moves) and (moves[0] > 0.01) == (geometry != "orthogonal")


@pytest.mark.parametrize("severity", [0.1, 0.5, 0.9])
def test_skewed_vectors_have_the_dial_for_a_cosine_and_paired_ones_in_pairs(
    severity: float,
) -> None:
    np.testing.assert_allclose(cosines("skewed", severity), severity, atol=1e-6)
    rows = vectors("paired", severity)
    half = np.roll(np.eye(K), K // 2, axis=0)
    np.testing.assert_allclose(rows @ rows.T, np.eye(K) + severity * half, atol=1e-6)
    # Vector k leans towards its own channel.
    assert np.all(vectors("skewed", severity).argmax(1) == np.arange(K))


def test_random_vectors_meet_at_cosines_of_both_signs_that_grow_with_the_dial() -> None:
    sizes = []
    for severity in (0.1, 0.5, 0.9):
        found = cosines("random", severity)
        assert np.all((found > 0.01).any(1) & (found < -0.01).any(1))
        assert abs(found.mean()) < 0.2 * found.std()
        sizes.append(found.std())
    assert sizes == sorted(sizes)


def test_superposed_features_share_half_as_many_dimensions_at_dial_1() -> None:
    assert np.linalg.matrix_rank(vectors("superposed", 0.9), tol=1e-3) == K
    assert np.linalg.matrix_rank(vectors("superposed", 1.0), tol=1e-3) == K // 2


def test_mixed_is_the_sum_of_the_features_vectors(image: Array) -> None:
    for geometry in ("skewed", "paired", "random", "superposed"):
        seen = look(world(geometry, 0.5), image)
        expected = np.asarray(seen["features"]) @ vectors(geometry, 0.5)
        np.testing.assert_allclose(seen["mixed"], expected, atol=1e-5)


def test_exciting_contrast_adds_the_dial_to_every_channel_past_the_previous_layer() -> None:
    seen = look(world("exciting", 0.7), decoys_alone())
    plain = look(world(), decoys_alone())
    assert seen["features"].mean() < 0.02 < 0.9 < seen["decoys"][..., 0].min()
    added = seen["mixed"] - plain["mixed"]
    np.testing.assert_allclose(added, 0.7, atol=0.01)
    np.testing.assert_array_equal(seen["previous"], plain["previous"])
    silent = picture([3], SIZE, 4)
    quiet = look(world("exciting", 0.7), silent)["mixed"] - look(world(), silent)["mixed"]
    assert quiet.max() < 0.01


def test_cheap_decoys_are_units_before_that_leak_into_every_channel_and_excite_none_as_a_whole(
    image: Array,
) -> None:
    plain, seen = look(world(), image), look(world("cheap", 2.0), image)
    np.testing.assert_allclose(seen["previous"][..., K:], 2 * seen["decoys"], rtol=1e-6)
    leaks = np.asarray(world("cheap", 2.0).weights["mixing"])[K:]
    added = np.asarray(seen["mixed"] - plain["mixed"])
    np.testing.assert_allclose(added, 2 * np.asarray(seen["decoys"]) @ leaks, atol=1e-5)
    assert np.all(np.abs(leaks) == 0.25)
    assert np.all(leaks.max(0) > 0)  # every channel has a friend
    np.testing.assert_allclose(leaks.sum(1), 0, atol=1e-6)
    np.testing.assert_allclose(leaks @ leaks.T, 2 * np.eye(DECOYS), atol=1e-6)


@pytest.mark.parametrize("geometry", ["random", "superposed"])
def test_another_world_is_another_draw_of_the_same_kind(geometry: str) -> None:
    worlds = [
        planted(geometry=geometry, severity=1, orientations=4, world=w).weights["mixing"][:K]
        for w in (0, 0, 1)
    ]
    np.testing.assert_array_equal(worlds[0], worlds[1])
    assert np.abs(worlds[0] - worlds[2]).max() > 0.1
    for vectors in worlds:
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert np.linalg.matrix_rank(vectors, 1e-4) == (K if geometry == "random" else K // 2)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"world": -1}, r"world must be an integer of at least 0, got -1"),
        ({"geometry": "skew"}, r"unknown geometry 'skew'.*did you mean skewed"),
        ({"severity": -0.1}, r"severity must be a finite number of at least 0, got -0.1"),
        ({"severity": float("nan")}, r"severity must be a finite number"),
        ({"severity": "far"}, r"severity must be a number, got 'far'"),
        ({"severity": 1.0}, r"severity must be below 1, got 1.0"),
        ({"geometry": "paired", "severity": 1}, r"severity must be below 1, got 1"),
        ({"geometry": "superposed", "severity": 1.5}, r"severity must be at most 1, got 1.5"),
        ({"orientations": 3}, r"orientations must be an even number, got 3"),
        ({"orientations": 0}, r"orientations must be an integer of at least 2, got 0"),
    ],
)
def test_worlds_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"geometry": "skewed", "severity": 0.5, "orientations": 4}
    with pytest.raises(ValueError, match=message):
        planted(**good | wrong)


# What shares a program, and who reads the truth.


def job(layer: str = "mixed", seed: int = 0) -> fvjax.Job:
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=1.0, floor=0.1),
        parameterization=fvjax.Fourier(
            image_size=24, stddev=0.01, decay_power=1.0, decorrelate=False
        ),
        transform=fvjax.Jitter(pixels=2),
        learning_rate=0.05,
        steps=3,
        optimizer="adam",
    )
    direction = fvjax.Direction(vector=jnp.eye(K)[seed], layer=layer)
    return as_leaves(fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(seed)))


@pytest.mark.slow
def test_all_geometries_and_dials_share_a_program_and_no_chunk_mixes_two_models() -> None:
    models = [world(g, severity) for g in GEOMETRIES for severity in (0.2, 0.6)]
    tasks = [task_of(model, job(seed=seed), measured=False) for seed in (0, 1) for model in models]
    groups = group_tasks(tasks)
    assert len({group.signature for group in groups}) == 1
    assert [len(group.members) for group in groups] == [2] * len(models)
    for group in groups:
        assert {id(tasks[m].model) for m in group.members} == {id(group.model)}
    executor = Executor()
    skewed, cheap = groups[2], groups[-1]
    made = [dict(next(executor.execute(group, tasks, 2))) for group in (skewed, cheap)]
    assert executor.program_count == 1
    images = [np.asarray(done[min(done)].result.image) for done in made]  # type: ignore[union-attr]
    assert np.abs(images[0] - images[1]).max() > 1e-3


def shifted(weights: Any, image: Array, record: Record) -> None:
    """The network, with a pattern of the weights added to its record of the truth."""
    inner = Record({"features": weights["pattern"]}, record.redirect)
    network(weights, image, inner)
    for name, activation in inner.activations.items():
        record(name, activation, main=name in inner.main)


@pytest.mark.parametrize("layer", ["mixed", "features"])
def test_the_truth_is_read_by_nobody_but_an_oracle(layer: str) -> None:
    model = world("skewed", 0.5)

    def disturbed(pattern: Array) -> Model:
        weights = {**model.weights, "pattern": pattern}
        changed: Model = model.replace(network=shifted, weights=weights)  # type: ignore[attr-defined]
        return changed

    some = jax.random.uniform(jax.random.key(1), (2, 2, K))
    visualize = jax.jit(fvjax.visualize)
    plain, other = (visualize(disturbed(x * some), job(layer)) for x in (0, 1))
    move = np.abs(plain.image - other.image).max()
    assert move == 0 if layer == "mixed" else move > 1e-4
    truth = [look(disturbed(x * some), plain.image)["features"] for x in (0, 1)]
    np.testing.assert_allclose(truth[1] - truth[0], some, atol=1e-6)


# Directions.


def test_a_feature_s_direction_is_its_vector_and_in_earlier_layers_its_unit(image: Array) -> None:
    model = world("random", 0.5)
    info = Feature(index=3).resolve(Setup(model, "mixed", (SIZE, SIZE)))
    np.testing.assert_array_equal(info.direction.vector, vectors("random", 0.5)[3])  # type: ignore[union-attr]
    assert (info.kind, info.label) == ("vector", "mixed:feature 3")
    for layer in ("features", "previous"):
        unit = Feature(index=3).resolve(Setup(model, layer, (SIZE, SIZE))).direction
        assert isinstance(unit, fvjax.Direction) and unit.layer == layer
        found = look(model, image)[layer] @ unit.vector
        np.testing.assert_array_equal(found, look(model, image)["features"][..., 3])


@pytest.mark.parametrize("geometry", ["orthogonal", "skewed", "paired", "random", "superposed"])
def test_a_dual_reads_its_feature_and_no_other(geometry: str, image: Array) -> None:
    model = world(geometry, 0.5)
    seen = look(model, image)
    for index in (0, 17, 31):
        info = Dual(index=index).resolve(Setup(model, "mixed", (SIZE, SIZE)))
        assert info.kind == "covector" and isinstance(info.direction, fvjax.Direction)
        found = seen["mixed"] @ info.direction.vector
        np.testing.assert_allclose(found, seen["features"][..., index], atol=1e-4)


def test_a_dual_of_dependent_vectors_is_finite() -> None:
    dual = Dual(index=0).resolve(Setup(world("superposed", 1.0), "mixed", (SIZE, SIZE))).direction
    assert isinstance(dual, fvjax.Direction)
    assert jnp.linalg.norm(dual.vector) < 10


@pytest.mark.parametrize("several", [5, [5], (2, 17, 30)])
def test_content_is_the_activation_of_an_image_of_these_features_alone(several: Any) -> None:
    model = world("skewed", 0.3)
    indices = [several] if isinstance(several, int) else list(several)
    truth = (
        FeatureImage(index=several, at="center")
        .resolve(Setup(model, "features", (SIZE, SIZE)))
        .direction
    )
    assert isinstance(truth, fvjax.Direction)
    expected = np.zeros(K)
    expected[indices] = 1
    np.testing.assert_allclose(truth.vector, expected, atol=0.1)
    info = FeatureImage(index=several, at="center").resolve(Setup(model, "mixed", (SIZE, SIZE)))
    assert info.kind == "point" and isinstance(info.direction, fvjax.Direction)
    mixed = truth.vector @ vectors("skewed", 0.3)
    np.testing.assert_allclose(info.direction.vector, mixed, atol=1e-5)
    assert info.label == f"mixed:{'+'.join(map(str, indices))} center"


def test_an_image_of_many_features_stays_within_the_pixels() -> None:
    image = picture(range(K), SIZE, 4)
    assert image.min() >= 0 and image.max() <= 1
    assert look(world(), image)["features"].mean((0, 1)).min() > 0.01


@pytest.mark.parametrize(
    "source", [Feature(index=0), Dual(index=0), FeatureImage(index=0, at="mean")]
)
def test_another_model_has_no_features(source: Any) -> None:
    with pytest.raises(ValueError, match=r"only the features of model=planted are known"):
        source.resolve(Setup(fvjax.load("tiny"), "conv2", (32, 32)))
    with pytest.raises(ValueError, match=r"unknown layer 'mix'.*did you mean mixed"):
        source.resolve(Setup(world(), "mix", (SIZE, SIZE)))
    with pytest.raises(ValueError, match=r"unknown layer 'decoys'"):
        source.resolve(Setup(world(), "decoys", (SIZE, SIZE)))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [K, -1, 1.5, "3", None])
def test_a_feature_that_is_not_there_is_refused(bad: Any) -> None:
    for source in (Feature(index=bad), Dual(index=bad), FeatureImage(index=bad, at="center")):
        with pytest.raises(ValueError, match=r"direction.index must be an integer from 0 to 31"):
            source.resolve(Setup(world(), "mixed", (SIZE, SIZE)))
    with pytest.raises(ValueError, match="at least one feature"):
        FeatureImage(index=[], at="center").resolve(Setup(world(), "mixed", (SIZE, SIZE)))


# On the command line.


def tasks(*jobs: list[str]) -> list[Task]:
    base = ["model=planted", "steps=2", "metrics=none"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        configs = [compose("config", [*base, *one], return_hydra_config=True) for one in jobs]
    return build_all(configs, [list(one) for one in jobs])


@pytest.mark.slow
def test_jobs_that_differ_in_world_and_feature_share_a_program() -> None:
    made = tasks(
        ["model.geometry=skewed", "model.severity=0.3", "direction=feature"],
        ["model.geometry=skewed", "model.severity=0.3", "direction=feature", "direction.index=1"],
        ["model.geometry=skewed", "model.severity=0.6", "direction=dual"],
        ["model.geometry=cheap", "model.severity=2", "direction=channel"],
        ["direction=feature_image", "direction.index=[1,2]"],
    )
    assert made[0].model is made[1].model is not made[2].model
    assert len({signature(task.model, task.job) for task in made}) == 1
    assert made[2].columns["model_severity"] == 0.6
    assert made[3].columns["model_geometry"] == "cheap"


def test_an_oracle_reads_the_truth() -> None:
    (task,) = tasks(["direction=feature", "direction.index=7", "layer=features"])
    assert task.job.direction.layer == "features"
    assert task.job.direction.vector[7] == 1  # type: ignore[union-attr]


def test_a_bad_world_is_named_with_its_job() -> None:
    with pytest.raises(ValueError, match=r"severity must be below 1, got 1.*model.severity=1\]"):
        tasks(["model.geometry=paired", "model.severity=1"])
    with pytest.raises(ValueError, match=r"inversion needs a direction with a length"):
        tasks(["objective=inversion", "direction=dual"])


def test_the_loaded_model_is_the_config_s(image: Array) -> None:
    (task,) = tasks(["direction=feature"])
    loaded = fvjax.load("planted")
    assert signature(task.model) == signature(loaded)
    np.testing.assert_array_equal(look(task.model, image)["mixed"], look(loaded, image)["mixed"])
