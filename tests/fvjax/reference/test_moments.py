"""Statistics of reference images: merging, covariances, shrinkage, and what is refused."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.stats import multivariate_normal

import fvjax
from fvjax.data.image_sets import Batch, ReferenceImages
from fvjax.metrics.measure import alignment
from fvjax.models.tiny import tiny
from fvjax.reference import covariance as cov
from fvjax.reference.activation_statistics import ReferenceStatistics, fingerprint
from fvjax.reference.moments import Statistics, collect, merged, observed
from sweeps.storage.array_cache import ArrayCache


def draws(images: int, positions: int, channels: int, seed: int = 0) -> np.ndarray:
    """Correlated activations (images, positions, 1, channels), alike within an image."""
    random = np.random.default_rng(seed)
    mix = random.normal(size=(channels, channels))
    own = random.normal(size=(images, 1, 1, channels))
    return (own + 0.5 * random.normal(size=(images, positions, 1, channels))) @ mix + 3


def of(activations: np.ndarray, first: int = 0, labels: Any = None) -> Statistics:
    numbers = np.arange(first, first + len(activations))
    found = np.zeros((len(activations), 0), int) if labels is None else labels
    return observed(activations, numbers, found)


def test_statistics_are_those_of_all_positions() -> None:
    a = draws(12, 7, 4)
    statistics, rows = of(a), a.reshape(-1, 4)
    np.testing.assert_allclose(statistics.mean, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.covariance, np.cov(rows.T, bias=True), rtol=1e-10)
    np.testing.assert_allclose(statistics.maximum, rows.max(0), rtol=1e-6)
    np.testing.assert_allclose(statistics.means, a.mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(statistics.centers, a[:, 3, 0], rtol=1e-6)
    assert statistics.count.sum() == 84 and statistics.images == 12
    expected = np.quantile(a.mean((1, 2)), [0.25, 0.5], axis=0)
    np.testing.assert_allclose(statistics.quantiles([0.25, 0.5], False), expected, rtol=1e-5)


@pytest.mark.parametrize("shards", [[0, 3, 12], [0, 1, 2, 7, 12], [0, 11, 12]])
def test_merged_shards_in_any_order_agree_with_one_pass(shards: list[int]) -> None:
    a = draws(12, 5, 3)
    parts = [of(a[i:j], i) for i, j in pairwise(shards)]
    whole = of(a).arrays()
    for order in (parts, parts[::-1]):
        total = order[0]
        for part in order[1:]:
            total = merged(total, part)
        for name, array in total.arrays().items():
            np.testing.assert_allclose(array, whole[name], rtol=2e-6, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(total.covariance, np.cov(a.reshape(-1, 3).T, bias=True))


def test_an_image_counts_once() -> None:
    a = draws(4, 2, 3)
    with pytest.raises(ValueError, match="image 3 is in both"):
        merged(of(a), of(a, 3))


def test_statistics_survive_being_kept() -> None:
    statistics = of(draws(6, 4, 3), labels=np.arange(6)[:, None])
    again = Statistics(**statistics.arrays())
    np.testing.assert_allclose(again.covariance, statistics.covariance, rtol=1e-6)
    assert np.array_equal(again.labels, statistics.labels)


def test_statistics_that_were_kept_have_no_more_rank_than_images() -> None:
    kept = Statistics(**of(draws(9, 1, 40)).arrays())
    assert cov.rank(kept.covariance) == 8
    with pytest.raises(ValueError, match="over 9 images has rank 8 of 40"):
        cov.whitening(kept, 0.0, "b")


def test_whitening_makes_the_covariance_the_identity() -> None:
    a = draws(40, 6, 5)
    statistics = of(a)
    affine_map = cov.whitening(statistics, 0.0, "b")
    white = (a.reshape(-1, 5) - affine_map.mean) @ affine_map.matrix
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(5), atol=1e-9)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(affine_map.matrix, affine_map.matrix.T, atol=1e-12)


def test_whitening_with_shrinkage_is_a_covariance_by_its_formula() -> None:
    statistics = of(draws(40, 6, 5))
    matrix = cov.whitening(statistics, 0.3, "b").matrix
    c = statistics.covariance
    shrunk = 0.7 * c + 0.3 * np.trace(c) / 5 * np.eye(5)
    np.testing.assert_allclose(matrix @ shrunk @ matrix, np.eye(5), atol=1e-9)
    left = matrix @ c @ matrix
    assert np.all(np.diag(left) < 1 / 0.7) and np.abs(left - np.eye(5)).max() > 0.1


def test_the_condition_number_falls_with_shrinkage() -> None:
    c = of(draws(40, 6, 5)).covariance
    values = np.linalg.eigvalsh(c)
    assert cov.condition(c) == pytest.approx(values[-1] / values[0])
    found = [cov.condition(cov.shrunk(c, s)) for s in (0.0, 0.1, 0.5, 1.0)]
    assert found == sorted(found, reverse=True) and found[-1] == pytest.approx(1)
    assert cov.condition(np.diag([1.0, 0.0])) == math.inf


def test_the_likelihood_of_the_cross_validation_is_the_gaussian_s() -> None:
    train, held = draws(20, 3, 4, seed=1), draws(8, 3, 4, seed=2)
    mean, c = train.reshape(-1, 4).mean(0), np.cov(train.reshape(-1, 4).T, bias=True)
    rows = held.reshape(-1, 4) - mean
    found = cov._likelihoods(c, rows.T @ rows / len(rows), len(rows))
    expected = [
        multivariate_normal.logpdf(rows, np.zeros(4), cov.shrunk(c, s)).sum() for s in cov._TRIED
    ]
    offset = found[0] - expected[0]  # the constant
    np.testing.assert_allclose(found, np.array(expected) + offset, rtol=1e-9)


def test_shrinkage_over_images_is_stronger_than_over_positions() -> None:
    """Positions of one image are alike, so that as many as these tell little."""
    random = np.random.default_rng(0)
    own = random.normal(size=(24, 1, 1, 16))  # independent channels: full shrinkage is right
    a = own + 0.01 * random.normal(size=(24, 50, 1, 16))
    by_image, by_position = cov.cross_validated(of(a)), cov.ledoit_wolf(a.reshape(-1, 16))
    assert by_image > 5 * by_position and by_image > 0.2


def test_plenty_of_independent_images_need_hardly_any_shrinkage() -> None:
    assert cov.cross_validated(of(draws(4000, 1, 4))) < 0.01


def test_too_few_images_say_how_many_are_needed() -> None:
    few = of(np.random.default_rng(0).normal(size=(5, 2, 1, 30)))
    with pytest.raises(ValueError, match=r"over 5 images has rank 9 of 30 .* at least 16 images"):
        cov.whitening(few, 0.0, "mixed")
    assert np.isfinite(cov.whitening(few, cov.cross_validated(few), "mixed").matrix).all()


def test_a_channel_that_never_varies_is_named() -> None:
    a = draws(30, 4, 6)
    a[..., 2] = 1.0
    with pytest.raises(ValueError, match=r"1 channels never vary on them \(2\)"):
        cov.whitening(of(a), 0.0, "mixed")
    with pytest.raises(ValueError, match="never varies"):
        cov.whitening(of(np.ones((6, 2, 1, 3))), 0.5, "mixed")


@pytest.mark.parametrize("amount", [-0.1, 1.5])
def test_shrinkage_is_a_share(amount: float) -> None:
    with pytest.raises(ValueError, match="shrinkage must be"):
        cov.shrunk(np.eye(2), amount)


def test_layers_are_collected_as_the_model_computes_them() -> None:
    model, images = fvjax.load("tiny"), np.random.default_rng(0).random((5, 32, 32, 3))
    images = images.astype(np.float32)

    def batches() -> Iterator[Batch]:
        for part in (slice(0, 3), slice(3, 5)):
            yield Batch(images[part], np.arange(5)[part], np.zeros((5, 0), int)[part])

    found = collect(model, batches(), ["conv1", "logits"])
    alone = np.stack([model(jnp.asarray(image))["conv1"] for image in images])
    np.testing.assert_allclose(found["conv1"].means, alone.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(found["conv1"].centers, alone[:, 8, 8], atol=1e-5)
    logits = np.stack([model(jnp.asarray(image))["logits"] for image in images])
    np.testing.assert_allclose(found["logits"].centers, logits, atol=1e-5)
    with pytest.raises(ValueError, match="unknown layer 'conv9'"):
        collect(model, batches(), ["conv9"])


@pytest.mark.slow
def test_generated_references_have_labels_and_do_not_depend_on_how_many_follow() -> None:
    few, more = (
        list(ReferenceImages("generated", (64, 64), 3)),
        list(ReferenceImages("generated", (64, 64), 40)),
    )
    assert len(more) == 2 and more[1].numbers.tolist() == list(range(32, 40))
    np.testing.assert_array_equal(few[0].images, more[0].images[:3])
    assert few[0].labels.shape == (3, 3) and more[0].labels.max() == 7
    assert next(iter(ReferenceImages("generated", (32, 32), 2))).images.shape == (2, 32, 32, 3)


@pytest.mark.slow
def test_a_later_part_and_every_second_image_are_parts_of_the_same_images() -> None:
    (whole,) = ReferenceImages("generated", (64, 64), 12)
    (later,) = ReferenceImages("generated", (64, 64), 4, first=8)
    (second,) = ReferenceImages("generated", (64, 64), 4, first=1, every=3)
    np.testing.assert_array_equal(later.images, whole.images[8:])
    np.testing.assert_array_equal(second.images, whole.images[1::3])
    np.testing.assert_array_equal(second.labels, whole.labels[1::3])
    kinds = {"first": 8}, {"every": 2}, {"first": 8, "every": 2}, {}
    assert len({ReferenceImages("generated", (64, 64), 4, **kind).identity for kind in kinds}) == 4


def pictures(folder: Path, *names: str) -> None:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50, 3), 40 * i, np.uint8)).save(folder / name)


def test_a_folder_is_read_by_name_and_its_folders_are_classes(tmp_path: Path) -> None:
    pictures(tmp_path / "a", "two.png", "one.png")
    (tmp_path / "a" / "index.json").write_text("{}")
    reference = ReferenceImages(str(tmp_path / "a"), (16, 16), 9)
    (batch,) = list(reference)
    assert [path.name for path in reference.paths] == ["one.png", "two.png"]
    assert batch.labels.shape == (2, 0) and not reference.attributes
    pictures(tmp_path / "b", "tulip/x.png", "rose/x.png", "rose/y.png")
    reference = ReferenceImages(str(tmp_path / "b"), (16, 16), 9)
    assert reference.attributes == {"class": ("rose", "tulip")}
    assert next(iter(reference)).labels.tolist() == [[0], [0], [1]]
    assert len(ReferenceImages(str(tmp_path / "b"), (16, 16), 2)) == 2
    second = ReferenceImages(str(tmp_path / "b"), (16, 16), 9, first=1, every=2)
    assert [path.name for path in second.paths] == ["y.png"]
    with pytest.raises(ValueError, match="first must be an integer from 0 to 2, got 3"):
        ReferenceImages(str(tmp_path / "b"), (16, 16), 9, first=3)


def test_a_folder_without_images_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        ReferenceImages(str(tmp_path / "none"), (16, 16), 9)
    with pytest.raises(ValueError, match="holds no pictures"):
        ReferenceImages(str(tmp_path), (16, 16), 9)
    (tmp_path / "broken.png").write_text("no image")
    with pytest.raises(ValueError, match=r"broken\.png cannot be read as a picture"):
        list(ReferenceImages(str(tmp_path), (16, 16), 9))


@pytest.mark.slow
def test_what_is_known_is_computed_once_and_kept_by_content(tmp_path: Path) -> None:
    said: list[str] = []
    model, images = fvjax.load("tiny"), ReferenceImages("generated", (32, 32), 8)
    store = ArrayCache(tmp_path, tmp_path / "shipped")
    reference = ReferenceStatistics(model, images, store, said.append)
    assert reference.statistics("conv2") is reference.statistics("conv2")
    assert said == ["statistics of conv2"]
    again = ReferenceStatistics(
        model, ReferenceImages("generated", (32, 32), 8), store, said.append
    )
    np.testing.assert_array_equal(
        again.statistics("conv2").means, reference.statistics("conv2").means
    )
    assert len(said) == 1
    ReferenceStatistics(tiny(1), images, store, said.append).statistics("conv2")
    ReferenceStatistics(
        model, ReferenceImages("generated", (32, 32), 9), store, said.append
    ).statistics("conv2")
    assert len(said) == 3 and fingerprint(tiny(1)) != fingerprint(model)
    assert len(list(tmp_path.glob("statistics_of_conv2-*.npz"))) == 3


def test_a_broken_file_in_the_store_is_made_anew(tmp_path: Path) -> None:
    store = ArrayCache(tmp_path / "mine", tmp_path / "shipped")
    store["key"] = {"x": np.arange(3)}
    assert store["key"]["x"].tolist() == [0, 1, 2] and list(store) == ["key"] and len(store) == 1
    (tmp_path / "mine" / "key.npz").write_bytes(b"PK broken")
    with pytest.raises(KeyError):
        store["key"]
    other = ArrayCache(tmp_path / "shipped", tmp_path / "none")
    other["key"] = {"x": np.arange(2)}
    assert len(store["key"]["x"]) == 2  # falls back on what is shipped
    del store["key"]
    assert "key" in store and len(store) == 0


def test_stored_arrays_that_are_not_those_of_the_layer_are_computed_anew(tmp_path: Path) -> None:
    said: list[str] = []
    model, images, store = tiny(), ReferenceImages("generated", (32, 32), 8), ArrayCache(tmp_path)
    reference = ReferenceStatistics(model, images, store)
    expected = reference.statistics("conv2").means, reference.vectors("conv2")
    for wrong in ({"x": np.ones(3)}, {"vectors": np.ones((8, 2))}, {"vectors": np.full(1, np.nan)}):
        for key in store:
            store[key] = wrong
        fresh = ReferenceStatistics(model, images, store, said.append)
        np.testing.assert_array_equal(fresh.statistics("conv2").means, expected[0])
        np.testing.assert_array_equal(fresh.vectors("conv2"), expected[1])
    assert said == ["statistics of conv2", "vectors of conv2"] * 3


@pytest.mark.slow
def test_vectors_are_the_same_whatever_else_is_asked() -> None:
    model = fvjax.load("tiny")
    one = ReferenceStatistics(model, ReferenceImages("generated", (32, 32), 4)).vectors("conv2")
    assert one.shape == (4 * 16 * 16, 16)  # all positions, where they are few
    other = ReferenceStatistics(model, ReferenceImages("generated", (32, 32), 4))
    other.statistics("conv1")
    np.testing.assert_array_equal(one, other.vectors("conv2"))


@pytest.mark.slow
def test_a_direction_with_a_vector_for_each_position_is_projected_on_as_pictures_are() -> None:
    model = tiny()
    reference = ReferenceStatistics(model, ReferenceImages("generated", (32, 32), 6))
    images = np.concatenate([batch.images for batch in reference.images])
    placed = np.array(model(jnp.asarray(images[2]))["conv2"])  # the third image's own caricature
    placed[0, 0] = 0
    direction = fvjax.Direction(vector=jnp.asarray(placed), layer="conv2")
    activations = [model(jnp.asarray(image)) for image in images]
    expected = np.array([alignment(a, direction)["dot"] for a in activations])
    found = reference.projections("conv2", placed)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    side = placed.shape[0] // 2
    center = reference.projections("conv2", placed, "center")
    there = reference.projections("conv2", placed[side, side], [side, side])
    assert center is not None and there is not None
    np.testing.assert_allclose(center, there)


@pytest.mark.slow
def test_texturenet_s_statistics_come_with_the_package(tmp_path: Path) -> None:
    """For the default reference images; made by `python -m sweeps.statistics layer=main`."""
    said: list[str] = []
    model = fvjax.load("texturenet")
    reference = ReferenceStatistics(
        model, ReferenceImages("generated", (64, 64), 512), ArrayCache(tmp_path), said.append
    )
    for layer in model.main_layers[1:]:
        assert reference.statistics(layer).images == 512
    assert not said
    fresh = ReferenceStatistics(model, ReferenceImages("generated", (64, 64), 32)).statistics(
        "conv3"
    )
    shipped = reference.statistics("conv3")
    np.testing.assert_allclose(shipped.means[:32], fresh.means, atol=1e-3)
