"""Spaces: how points, vectors and covectors travel, and what an objective sees there."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import LUCID, PARAMETERIZATIONS
from PIL import Image

import fvjax
from fvjax import spaces
from fvjax.affine_map import AffineMap
from fvjax.data.image_sets import ReferenceImages
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources import Channel, DirectionInfo, Photo, Random
from fvjax.sources.setup import Setup
from sweeps.execution.grouping import signature

MODEL = fvjax.load("tiny")
NATURAL = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 64))
DOT = fvjax.DotCosine(exponent=0.0, floor=0.1)


def job(direction: Any, objective: Any = DOT, steps: int = 6) -> fvjax.Job:
    recipe = fvjax.Recipe(
        objective=objective,
        parameterization=PARAMETERIZATIONS["fourier"],
        transform=LUCID,
        learning_rate=0.05,
        steps=steps,
        optimizer="adam",
    )
    return fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(1))


def affine_map(channels: int = 4, features: int = 4) -> AffineMap:
    draws = np.random.default_rng(0)
    return AffineMap(draws.normal(size=channels), draws.normal(size=(channels, features)))


def test_points_move_with_the_origin_and_vectors_do_not() -> None:
    f, draws = affine_map(), np.random.default_rng(1)
    p, q = draws.normal(size=(2, 4))
    there = [f(x, "point") for x in (p, q)]
    np.testing.assert_allclose(there[0], (p - f.mean) @ f.matrix)
    np.testing.assert_allclose(f(p - q, "vector"), there[0] - there[1])
    np.testing.assert_allclose(f(f.mean, "point"), 0, atol=1e-12)


def test_a_covector_reads_the_same_in_any_frame() -> None:
    f, draws = affine_map(), np.random.default_rng(1)
    a, w = draws.normal(size=(2, 4))
    read = f(a, "point") @ f(w, "covector")
    np.testing.assert_allclose(read, (a - f.mean) @ w)
    narrow = affine_map(4, 2)  # what a projection keeps is read as well as can be
    inside = narrow.mean + np.linalg.pinv(narrow.matrix.T)[:, 0]
    read = narrow(inside, "point") @ narrow(w, "covector")
    np.testing.assert_allclose(read, (inside - narrow.mean) @ w)


def test_a_whitened_layer_is_white_on_the_images_that_made_it() -> None:
    model = fvjax.with_whitened_layer(
        MODEL, statistics=NATURAL.statistics("conv2"), layer="conv2", shrinkage=0.0
    )
    white = ReferenceStatistics(model, NATURAL.images).statistics("conv2@whitened")
    np.testing.assert_allclose(white.covariance, np.eye(16), atol=1e-4)
    np.testing.assert_allclose(white.mean, 0, atol=1e-4)
    assert model.previous("conv2@whitened") == "conv1" and "conv2@whitened" in model.layers


@pytest.mark.parametrize("index", [0, 5])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_a_channel_s_dot_product_makes_the_same_image_when_whitened(
    index: int, shrinkage: float
) -> None:
    info = Channel(index=index).resolve(Setup(MODEL, "conv2", (32, 32)))
    model, moved = spaces.Whiten(shrinkage).move(
        Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
    )
    plain = jax.jit(fvjax.visualize)(MODEL, job(info.direction))
    white = jax.jit(fvjax.visualize)(model, job(moved))
    np.testing.assert_allclose(white.image, plain.image, atol=2e-4)
    for name in ("dot", "cosine", "norm", "orthogonal"):  # measured in the plain space
        np.testing.assert_allclose(white.history[name], plain.history[name], rtol=1e-2, atol=1e-4)


def test_a_vector_s_picture_is_another_one_when_whitened() -> None:
    info = Random(seed=0).resolve(Setup(MODEL, "conv2", (32, 32)))
    model, moved = spaces.Whiten(0.01).move(
        Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
    )
    plain = jax.jit(fvjax.visualize)(MODEL, job(info.direction))
    white = jax.jit(fvjax.visualize)(model, job(moved))
    assert np.abs(white.image - plain.image).max() > 0.02


@pytest.mark.slow
def test_a_dead_channel_is_woken_in_any_space() -> None:
    """Asleep is what the channel of the plain space is."""
    kernel = MODEL.weights["conv2"]["kernel"]
    bias = MODEL.weights["conv2"]["bias"].at[3].set(-0.4)
    dead = MODEL.replace(  # type: ignore[attr-defined]
        weights={**MODEL.weights, "conv2": {"kernel": kernel, "bias": bias}}
    )
    info = Channel(index=3).resolve(Setup(dead, "conv2", (32, 32)))
    model, moved = spaces.Whiten(0.01).move(Setup(dead, "conv2", (32, 32), reference=NATURAL), info)
    plain = jax.jit(fvjax.visualize)(dead, job(info.direction, steps=12))
    white = jax.jit(fvjax.visualize)(model, job(moved, steps=12))
    assert plain.history["dot"][0] == 0 and not plain.dead and not white.dead
    np.testing.assert_allclose(white.history["dot"], plain.history["dot"], rtol=0.05, atol=1e-3)


def test_shrinkages_share_a_program() -> None:
    info = Channel(index=0).resolve(Setup(MODEL, "conv2", (32, 32)))
    moved = [
        spaces.Whiten(s).move(Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info)
        for s in (0.01, 0.3, "cross_validated")
    ]
    assert len({signature(model, job(direction)) for model, direction in moved}) == 1
    assert (
        spaces.Whiten(0.01).move(
            Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
        )[0]
        is moved[0][0]
    )


def test_a_caricature_reads_its_target_in_the_space() -> None:
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3))
    info = DirectionInfo(fvjax.FromImage(image=image, layer="conv2"), "photo", "point")
    model, moved = spaces.Whiten(0.01).move(
        Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
    )
    resolved = moved.resolve(model, lambda seen: seen)  # type: ignore[union-attr]
    np.testing.assert_allclose(resolved.vector, model(image)["conv2@whitened"], atol=1e-5)
    np.testing.assert_allclose(resolved.original.vector, MODEL(image)["conv2"], atol=1e-5)
    assert moved.original.layer == "conv2"


def test_a_linear_space_is_a_matrix_or_components(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    np.save(tmp_path / "m.npy", matrix)
    info = Random(seed=0).resolve(Setup(MODEL, "conv2", (32, 32)))
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3))
    model, moved = spaces.Linear(str(tmp_path / "m.npy"), None).move(
        Setup(MODEL, info.direction.layer, (32, 32)), info
    )
    there = model(image)
    np.testing.assert_allclose(there["conv2@linear"], there["conv2"] @ matrix, rtol=1e-4, atol=1e-5)
    assert moved.layer == "conv2@linear" and moved.vector.shape == (3,)  # type: ignore[union-attr]
    model, _ = spaces.Linear(None, 2).move(
        Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
    )
    found = ReferenceStatistics(model, NATURAL.images).statistics("conv2@linear").covariance
    values = np.linalg.eigvalsh(NATURAL.statistics("conv2").covariance)[::-1]
    np.testing.assert_allclose(found, np.diag(values[:2]), rtol=1e-3, atol=1e-3 * values[0])


@pytest.mark.usefixtures("unchecked")
def test_wrong_matrices_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.ones((5, 3)))
    info = Random(seed=0).resolve(Setup(MODEL, "conv2", (32, 32)))
    with pytest.raises(ValueError, match=r"conv2' has 16 channels: a matrix of shape \(5, 3\)"):
        spaces.Linear(str(tmp_path / "m.npy"), None).move(
            Setup(MODEL, info.direction.layer, (32, 32)), info
        )
    with pytest.raises(ValueError, match=r"space\.matrix or space\.components, one of them"):
        spaces.Linear(None, None).move(
            Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
        )
    with pytest.raises(ValueError, match=r"space\.components must be an integer from 1 to 16"):
        spaces.Linear(None, 17).move(
            Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
        )
    with pytest.raises(ValueError, match="needs reference images"):
        spaces.Whiten(0.1).move(Setup(MODEL, info.direction.layer, (32, 32)), info)


def test_lucid_s_atlas_is_computed_as_lucid_does() -> None:
    info = Random(seed=0).resolve(Setup(MODEL, "conv2", (32, 32)))
    model, moved = spaces.Atlas().move(
        Setup(MODEL, info.direction.layer, (32, 32), reference=NATURAL), info
    )
    images = np.concatenate([batch.images for batch in NATURAL.images])
    x = np.concatenate(
        [np.asarray(MODEL(jnp.asarray(i))["conv2"]).reshape(-1, 16) for i in images[:64]]
    )
    inverse = np.linalg.inv(x.T.astype(np.float64) @ x / len(x))
    v = np.asarray(info.direction.vector, np.float64)  # type: ignore[union-attr]
    vector = moved.vector  # type: ignore[union-attr]
    np.testing.assert_allclose(vector, v @ inverse, rtol=2e-3, atol=1e-3 * np.abs(vector).max())
    assert model is MODEL
    score = spaces.Atlas().objective(fvjax.DotCosine(exponent=2.0, floor=0.1))
    a = np.random.default_rng(1).normal(size=(4, 4, 16))
    flat, w = a.reshape(-1, 16), np.asarray(vector, np.float64)
    dot = (flat * w).mean(-1)
    cossim = dot / (1e-4 + np.linalg.norm(flat, axis=-1))
    expected = (dot * np.maximum(0.1, cossim) ** 2).mean()
    found = score({"conv2": jnp.asarray(a, jnp.float32)}, moved)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.all(cossim <= np.linalg.norm(w) / 16 + 1e-9)  # Cauchy and Schwarz


def test_lucid_s_atlas_is_for_dot_products_of_vectors() -> None:
    with pytest.raises(ValueError, match="objective=dot and dot_cosine only"):
        spaces.Atlas().objective(fvjax.Cosine())
    image = jnp.zeros((32, 32, 3))
    whole = DirectionInfo(fvjax.FromImage(image=image, layer="conv2"), "photo", "point")
    with pytest.raises(ValueError, match="needs a vector"):
        spaces.Atlas().move(Setup(MODEL, "conv2", (32, 32), reference=NATURAL), whole)


def test_the_transform_stays_float32_in_bfloat16() -> None:
    low = MODEL.in_precision("bfloat16")
    info = Channel(index=0).resolve(Setup(low, "conv2", (32, 32)))
    model, _ = spaces.Whiten(0.01).move(Setup(low, "conv2", (32, 32), reference=NATURAL), info)
    assert model.weights["matrix"].dtype == jnp.float32
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3))
    there = model(image)
    a = np.asarray(there["conv2"], np.float64)
    expected = (a - np.asarray(model.weights["mean"])) @ np.asarray(
        model.weights["matrix"], np.float64
    )
    np.testing.assert_allclose(there["conv2@whitened"], expected, rtol=1e-3, atol=1e-2)


def test_a_photo_s_positions_are_counted_row_by_row(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    path = str(tmp_path / "p.png")
    by_number = Photo(path=path, at=16 * 3 + 5).resolve(Setup(MODEL, "conv2", (32, 32))).direction
    by_place = Photo(path=path, at=[3, 5]).resolve(Setup(MODEL, "conv2", (32, 32))).direction
    np.testing.assert_array_equal(by_number.vector, by_place.vector)  # type: ignore[union-attr]
    whole = Photo(path=path, at="all").resolve(Setup(MODEL, "conv2", (32, 32)))
    assert isinstance(whole.direction, fvjax.FromImage) and whole.kind == "point"
    with pytest.raises(ValueError, match=r"direction\.at .* integer from 0 to 255"):
        Photo(path=path, at=256).resolve(Setup(MODEL, "conv2", (32, 32)))


def test_layernorm_is_each_position_s_channels_less_their_mean_over_their_deviation() -> None:
    setup, image = (
        Setup(MODEL, "conv2", (32, 32)),
        jax.random.uniform(jax.random.key(0), (32, 32, 3)),
    )
    info = DirectionInfo(fvjax.Direction(vector=jnp.arange(16.0), layer="conv2"), "", "covector")
    model, moved = spaces.LayerNorm().move(setup, info)
    assert model == spaces.LayerNorm().move(setup, info)[0]  # one object, hence one program
    a, plain = model(image)["conv2@layernorm"], MODEL(image)["conv2"]
    np.testing.assert_allclose(a.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose((a**2).mean(-1), 1, atol=1e-2)
    deviation = np.sqrt(plain.var(-1, keepdims=True) + 1e-6)
    expected = (plain - plain.mean(-1, keepdims=True)) / deviation
    np.testing.assert_allclose(a, expected, atol=1e-4)
    np.testing.assert_allclose(moved.vector, np.arange(16) - 7.5)  # type: ignore[union-attr]
    assert moved.original is info.direction


def test_a_scaled_and_shifted_point_is_the_same_point_under_layernorm() -> None:
    setup = Setup(MODEL, "conv2", (32, 32))

    def mapped(vector: Any) -> Any:
        info = DirectionInfo(fvjax.Direction(vector=vector, layer="conv2"), "", "point")
        return spaces.LayerNorm().move(setup, info)[1].vector  # type: ignore[union-attr]

    point = jnp.sin(jnp.arange(16.0)) * 9
    np.testing.assert_allclose(mapped(point), mapped(3 * point + 2), atol=1e-5)
    photo = fvjax.FromImage(image=jnp.zeros((32, 32, 3)), layer="conv2")
    moved = spaces.LayerNorm().move(setup, DirectionInfo(photo, "", "point"))[1]
    assert moved.layer == "conv2@layernorm" and moved.original.layer == "conv2"
