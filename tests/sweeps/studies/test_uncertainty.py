"""Detectors, distorted images, areas under the ROC curve, and what the study compares."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

import fvjax
from fvjax.data.corruptions import CORRUPTIONS, blur, contrast, noise, pink, white
from fvjax.data.image_sets import ReferenceImages
from fvjax.metrics.ood_detectors import detectors, feature_scores, heads, is_correct, logit_scores
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.reference.covariance import power, shrunk, whitening
from fvjax.reference.distances import fit_distribution
from fvjax.reference.moments import observed
from sweeps.storage.array_cache import ArrayCache
from sweeps.studies.uncertainty.auroc import Contrast, areas, estimates
from sweeps.studies.uncertainty.evaluation import (
    IN_DISTRIBUTION,
    Evaluation,
    EvaluationSet,
    Fold,
    evaluate,
    folds,
    left_out,
)
from sweeps.studies.uncertainty.rows import rows

RANDOM = np.random.default_rng(0)
ATTRIBUTES = ((0, 1, 2), (3, 4, 5, 6))
KEY = jax.random.key(1)
IMAGE = jax.random.uniform(jax.random.key(0), (32, 24, 3))


def test_what_the_logits_say_is_the_formula_of_the_least_sure_head() -> None:
    logits = RANDOM.normal(size=7) * 3
    told = logit_scores(jnp.asarray(logits, jnp.float32), ATTRIBUTES)
    powers = [np.exp(logits[list(head)]) for head in ATTRIBUTES]
    least = min(p.max() / p.sum() for p in powers)
    assert float(told["max_softmax"]) == pytest.approx(-np.log(least), rel=1e-5)
    assert float(told["energy"]) == pytest.approx(-sum(np.log(p.sum()) for p in powers), rel=1e-5)


def test_sure_images_are_still_told_apart() -> None:
    """Where the largest probability rounds to 1."""
    told = [
        float(logit_scores(jnp.array([0.0, gap]), ((0, 1),))["max_softmax"]) for gap in (30, 40)
    ]
    np.testing.assert_allclose(told, np.exp([-30.0, -40.0]), rtol=1e-5)


def test_what_a_layer_says_is_mahalanobis_distances() -> None:
    labels = np.stack([np.arange(60) % 3, np.arange(60) % 2], -1)
    a = RANDOM.normal(size=(60, 4, 4, 5)) @ RANDOM.normal(size=(5, 5)) + 1
    a = a + labels[:, :1, None, None] * 2
    statistics = observed(a, np.arange(60), labels)
    found = fit_distribution(statistics, whitening(statistics, 0.1, "b"), 0.1, statistics.means)
    seen = RANDOM.normal(size=(4, 4, 5)) * 2 + 1
    told = feature_scores(jnp.asarray(seen, jnp.float32), found)
    x = (seen - statistics.mean) @ power(shrunk(statistics.covariance, 0.1), -0.5)
    assert float(told["mahalanobis"]) == pytest.approx(np.sqrt((x**2).mean()), rel=1e-4)
    rows, nearest, margins = a.mean((1, 2)), [], []
    for own in labels.T:
        centroids = np.stack([rows[own == k].mean(0) for k in np.unique(own)])
        within = rows - centroids[own]
        inverse = np.linalg.inv(shrunk(within.T @ within / 60, 0.1))
        apart = seen.mean((0, 1)) - centroids
        first, second = np.sort(np.sqrt(np.einsum("ki,ij,kj->k", apart, inverse, apart)))[:2]
        nearest.append(first)
        margins.append(second - first)
    assert float(told["class_distance"]) == pytest.approx(max(nearest), rel=1e-3)
    assert float(told["centroid_margin"]) == pytest.approx(-min(margins), rel=1e-2)
    unlabelled = replace(statistics, labels=labels[:, :0])
    without = fit_distribution(unlabelled, whitening(statistics, 0.1, "b"), 0.1, statistics.means)
    assert list(feature_scores(jnp.asarray(seen, jnp.float32), without)) == ["mahalanobis"]
    activations = {"b": jnp.asarray(seen, jnp.float32), "logits": jnp.arange(7.0)}
    both = detectors(activations, {"b": found}, "logits", ATTRIBUTES)
    assert {layer: set(own) for layer, own in both.items()} == {
        "b": {"mahalanobis", "class_distance", "centroid_margin"},
        "logits": {"max_softmax", "energy"},
    }


def test_heads_are_the_labels_of_the_classes() -> None:
    whole = heads(fvjax.load("texturenet"), "logits")
    assert whole == (tuple(range(8)), tuple(range(8, 16)), tuple(range(16, 24)))
    tiny = fvjax.load("tiny")
    assert heads(tiny, "logits") == (tuple(range(10)),)
    with pytest.raises(ValueError, match=r"unknown layer 'logit'.*did you mean logits"):
        heads(tiny, "logit")


def test_an_answer_is_right_when_every_head_is() -> None:
    logits = jnp.array([0.0, 5.0, 1.0, -1.0, -2.0, -0.5, -3.0])
    assert bool(is_correct(logits, jnp.array([1, 2]), ATTRIBUTES))
    assert not bool(is_correct(logits, jnp.array([1, 0]), ATTRIBUTES))
    assert not bool(is_correct(logits, jnp.array([0, 2]), ATTRIBUTES))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_distortion_of_no_strength_leaves_the_image(name: str) -> None:
    still = CORRUPTIONS[name](KEY, IMAGE, jnp.array(0.0))
    np.testing.assert_allclose(still, IMAGE, atol=1e-6)


def test_distortions_are_what_their_strength_says() -> None:
    grey = jnp.full((64, 64, 3), 0.5)
    assert float(noise(KEY, grey, jnp.array(0.1)).std()) == pytest.approx(0.1, rel=0.03)
    other = noise(jax.random.key(2), grey, jnp.array(0.1))
    assert abs(np.corrcoef(other.ravel(), noise(KEY, grey, jnp.array(0.1)).ravel())[0, 1]) < 0.05
    soft = gaussian_filter(np.asarray(IMAGE, float), (1.5, 1.5, 0), mode="reflect", truncate=8)
    np.testing.assert_allclose(blur(KEY, IMAGE, jnp.array(1.5)), soft, atol=1e-5)
    pale = contrast(KEY, IMAGE, jnp.array(0.75))
    assert float(pale.std()) == pytest.approx(0.25 * float(IMAGE.std()), rel=1e-4)
    assert float(pale.mean()) == pytest.approx(float(IMAGE.mean()), rel=1e-4)


@pytest.mark.parametrize(("make", "slope"), [(white, 0.0), (pink, -1.0)])
def test_noise_has_its_spectrum_and_nothing_of_the_image(
    make: Callable[..., Any], slope: float
) -> None:
    size = (128, 128, 3)
    made = np.asarray(make(KEY, jnp.zeros(size), jnp.array(0.1)))
    np.testing.assert_array_equal(made, make(KEY, jnp.ones(size), jnp.array(0.1)))
    assert made.std() == pytest.approx(0.1, rel=0.02) and abs(made.mean() - 0.5) < 0.01
    amplitude = np.abs(np.fft.fft2(made, axes=(0, 1)))
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None])
    inner = (frequency > 0.03) & (frequency < 0.4)
    x, y = np.log(frequency[inner]), np.log(amplitude.mean(-1)[inner])
    assert np.polyfit(x, y, 1)[0] == pytest.approx(slope, abs=0.05)


def test_areas_are_scikit_learns_with_ties_and_weights() -> None:
    scores = RANDOM.integers(0, 6, 80).astype(float)
    positive = RANDOM.random(80) < 0.4
    weights = RANDOM.integers(0, 4, (5, 80)).astype(float)
    expected = [roc_auc_score(positive, scores, sample_weight=w) for w in weights]
    np.testing.assert_allclose(areas(scores, positive, weights), expected, rtol=1e-12)


def contrast_of(shift: float, count: int, seed: int, images: Any = None) -> Contrast:
    random = np.random.default_rng(seed)
    positive = np.repeat([False, True], count)
    scores = random.normal(size=2 * count) + shift * positive
    return Contrast(np.arange(2 * count) if images is None else images, positive, {"x": scores})


def test_the_interval_holds_the_true_area_about_as_often_as_it_says() -> None:
    truth, held = norm.cdf(1 / np.sqrt(2)), 0
    for seed in range(100):
        told = estimates([contrast_of(1.0, 60, seed)], 200)["x"]
        held += told["low"] <= truth <= told["high"]
    assert 88 <= held <= 100


def test_pictures_of_the_same_image_are_drawn_together() -> None:
    """Where each is a little stranger than its own image, their order is surer than the images'."""
    own = np.random.default_rng(3).normal(size=200)
    scores = {"x": np.concatenate([own, own + 0.2])}
    positive, names = np.repeat([False, True], 200), np.tile(np.arange(200), 2)
    told = [
        estimates([Contrast(images, positive, scores)], 300)["x"]
        for images in (names, np.arange(400))
    ]
    together, apart = (one["high"] - one["low"] for one in told)
    assert together < 0.4 * apart


def test_folds_are_averaged_not_pooled() -> None:
    one, other = contrast_of(1.0, 40, 0), contrast_of(1.0, 40, 1)
    moved = replace(other, scores={"x": other.scores["x"] + 100})
    told = [estimates(pair, 50)["x"]["auroc"] for pair in ([one, other], [one, moved])]
    each = [roc_auc_score(fold.positive, fold.scores["x"]) for fold in (one, other)]
    assert told == pytest.approx([np.mean(each)] * 2)


def test_too_few_say_nothing() -> None:
    few = contrast_of(1.0, 9, 0)
    assert estimates([few], 50) == {"x": {"auroc": None, "low": None, "high": None}}


def looked(count: int, shift: float, wrong: Any) -> Evaluation:
    scores = {("b", "mahalanobis"): RANDOM.normal(size=count) + shift}
    return Evaluation(np.arange(count), None if wrong is None else ~wrong, scores)


def test_rows_answer_both_questions_of_the_sets_that_have_them() -> None:
    wrong = np.arange(60) < 15
    sets = {
        IN_DISTRIBUTION: looked(60, 0.0, np.zeros(60, bool)),
        "blur 2": looked(60, 1.0, wrong),
        "white noise": looked(60, 2.0, None),
    }
    told = {(row["question"], row["images"]): row for row in rows([sets], 50)}
    assert list(told) == [
        ("misclassified", IN_DISTRIBUTION),
        ("misclassified", "blur 2"),
        ("unfamiliar", "blur 2"),
        ("unfamiliar", "white noise"),
    ]
    assert told["misclassified", IN_DISTRIBUTION]["auroc"] is None  # there is no mistake
    mistakes = told["misclassified", "blur 2"]
    assert (mistakes["positives"], mistakes["negatives"], mistakes["accuracy"]) == (15, 45, 0.75)
    (own,) = sets["blur 2"].scores.values()
    assert mistakes["auroc"] == pytest.approx(roc_auc_score(wrong, own))
    (familiar,), (noisy,) = (
        sets[IN_DISTRIBUTION].scores.values(),
        sets["white noise"].scores.values(),
    )
    expected = roc_auc_score(np.repeat([0, 1], 60), np.concatenate([familiar, noisy]))
    strange = told["unfamiliar", "white noise"]
    assert strange["auroc"] == pytest.approx(expected) and strange["accuracy"] is None


def photographs(folder: Path, count: int) -> str:
    folder.mkdir()
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 256, (40, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return str(folder)


def test_generated_images_are_judged_by_others(tmp_path: Path) -> None:
    reference = ReferenceStatistics(
        fvjax.load("texturenet"), ReferenceImages("generated", (64, 64), 12)
    )
    photos = photographs(tmp_path / "photos", 3)
    (fold,) = folds(reference, 12, {"blur": 2.0}, {"white": 0.2}, photos)
    assert [p.name for p in fold.pictures] == [
        IN_DISTRIBUTION,
        "blur 2",
        "white noise",
        "unseen textures",
        "photographs",
    ]
    known = np.concatenate([batch.images for batch in reference.images])
    others = next(iter(fold.pictures[0].reference)).images
    assert min(np.abs(known - one).mean((1, 2, 3)).min() for one in others) > 0.01
    assert left_out(fold, photos) == []
    (without,) = folds(reference, 8, {}, {}, "nowhere")
    assert [p.name for p in without.pictures] == [IN_DISTRIBUTION, "unseen textures"]
    assert left_out(without, "nowhere") == [
        "no photographs: there is no folder nowhere, set FVJAX_PHOTOS to one"
    ]


def test_halves_of_a_folder_judge_each_other(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "photos", 9)
    reference = ReferenceStatistics(fvjax.load("tiny"), ReferenceImages(folder, (32, 32), 64))
    both = folds(reference, 64, {"noise": 0.1}, {}, None)
    fits = [{p.name for p in fold.reference.images.paths} for fold in both]
    judged = [{p.name for p in fold.pictures[0].reference.paths} for fold in both]
    assert fits == judged[::-1] and not fits[0] & fits[1] and len(fits[0] | fits[1]) == 9
    told = left_out(both[0], None)
    assert len(told) == 2 and "no class_distance" in told[0] and "no misclassified" in told[1]
    few = ReferenceStatistics(reference.model, ReferenceImages(folder, (32, 32), 3))
    with pytest.raises(ValueError, match="must hold at least 4, it holds 3"):
        folds(few, 64, {}, {}, None)


@pytest.mark.slow
def test_looking_tells_what_the_network_does_on_the_changed_images(tmp_path: Path) -> None:
    model = fvjax.load("texturenet")
    reference = ReferenceStatistics(
        model, ReferenceImages("generated", (64, 64), 512), ArrayCache(tmp_path)
    )  # shipped
    others = ReferenceImages("generated", (64, 64), 12, first=512)
    pictures = EvaluationSet("contrast 0.5", others, "contrast", 0.5, labelled=True)
    found = evaluate(Fold(reference, (pictures,)), ["conv5"], "logits", pictures)
    assert list(found.scores) == [
        ("conv5", "mahalanobis"),
        ("conv5", "class_distance"),
        ("conv5", "centroid_margin"),
        ("logits", "max_softmax"),
        ("logits", "energy"),
    ]
    (batch,) = others
    pale = batch.images.mean((1, 2, 3), keepdims=True) * 0.5 + 0.5 * batch.images
    logits = np.asarray(jax.jit(jax.vmap(lambda x: model(x)["logits"]))(pale)).reshape(12, 3, 8)
    assert found.right is not None and 0 < found.right.sum() < 12
    np.testing.assert_array_equal(found.right, (logits.argmax(-1) == batch.labels).all(1))
    sums = np.log(np.exp(logits).sum(-1))
    np.testing.assert_allclose(found.scores["logits", "energy"], -sums.sum(1), rtol=1e-4)
    unsure = (sums - logits.max(-1)).max(1)
    np.testing.assert_allclose(found.scores["logits", "max_softmax"], unsure, rtol=1e-3, atol=1e-5)
