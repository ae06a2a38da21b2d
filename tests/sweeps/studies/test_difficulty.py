"""Task difficulty: the label granularity, the training, the cached networks and the report."""

import dataclasses
import itertools
import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from conftest import assert_equal_leaves

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.data.textures import ATTRIBUTES
from fvjax.models.texturenet import TextureNet
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources import Channel, PreferredLabel, Random
from fvjax.sources.setup import Setup
from fvjax.training import Trainer, classes_per_attribute
from fvjax.training.label_granularity import LABELS, grouped
from fvjax.training.trainer import correct, cross_entropy
from sweeps.planning.trained_model import trained
from sweeps.studies.difficulty.report import report, values_of
from sweeps.studies.difficulty.trends import levels, trends

EVERY = jnp.stack(jnp.meshgrid(*[jnp.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3)
WIDTHS = (4, 6, 8, 8, 12)
NET: dict[str, Any] = {
    "first_attribute": "hue",
    "seed": 3,
    "steps": 2,
    "batch": 8,
    "widths": WIDTHS,
}
NET |= {"also_train": ()}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sweeps.planning.trained_model._STATISTICS", 1)
    return tmp_path


@pytest.mark.parametrize("first", ATTRIBUTES)
def test_a_task_tells_as_many_groups_as_it_has_labels(first: str) -> None:
    for labels in LABELS:
        told = classes_per_attribute(labels, first)
        assert sum(groups for groups in told if groups > 1) == labels
        assert max(told) == told[list(ATTRIBUTES).index(first)]


@pytest.mark.parametrize("first", ATTRIBUTES)
def test_a_harder_task_tells_apart_whatever_an_easier_one_does(first: str) -> None:
    for easy, hard in itertools.pairwise(LABELS):
        fine = np.asarray(grouped(EVERY, classes_per_attribute(hard, first)))
        coarse = np.asarray(grouped(EVERY, classes_per_attribute(easy, first)))
        groups = np.unique(np.concatenate([fine, coarse], 1), axis=0)
        assert len(groups) == len(np.unique(fine, axis=0)) > len(np.unique(coarse, axis=0))


def test_groups_are_of_equal_size() -> None:
    for groups in (1, 2, 4, 8):
        found = np.asarray(grouped(EVERY, (groups, 1, 1)))[:, 0]
        np.testing.assert_array_equal(np.bincount(found), 512 // groups)


def test_unknown_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown labels 3: it is one of 0, 2, 4, 8, 16, 24"):
        classes_per_attribute(3, "hue")
    with pytest.raises(ValueError, match="unknown attribute 'size'"):
        classes_per_attribute(2, "size")


def test_flat_logits_lose_the_logarithm_of_each_head_s_groups() -> None:
    for labels in LABELS:
        told = classes_per_attribute(labels, "texture")
        expected = np.log(told).sum()
        found = float(cross_entropy(jnp.zeros((512, 24)), EVERY, told))
        assert found == pytest.approx(expected, abs=1e-5)


def test_only_the_logits_of_told_groups_have_a_gradient() -> None:
    told = (4, 1, 2)
    logits = jax.random.normal(jax.random.key(1), (512, 24))
    slope = np.abs(jax.grad(cross_entropy)(logits, EVERY, told)).max(0).reshape(3, 8)
    np.testing.assert_array_equal(
        slope > 0, np.arange(8)[None] < np.where(np.array(told) > 1, told, 0)[:, None]
    )


def test_right_answers_are_groups_not_labels() -> None:
    told = (2, 1, 8)
    logits = jnp.zeros((1, 24)).at[0, [1, 7, 15, 16 + 5]].set([1.0, 9.0, 9.0, 1.0])
    labels = jnp.array([[[6, 3, 5]], [[2, 0, 4]]])
    assert correct(logits, labels[0], told).tolist() == [[True, True, True]]
    assert correct(logits, labels[1], told).tolist() == [[False, True, False]]


@pytest.mark.slow
def test_tasks_and_seeds_share_a_program_and_images() -> None:
    trainers = [
        Trainer(TextureNet(WIDTHS), 3, 2, 8, granularity=classes_per_attribute(n, "hue"))
        for n in (2, 24)
    ]
    trainers.append(dataclasses.replace(trainers[0], seed=4))
    before = Trainer._learn._cache_size()  # type: ignore[attr-defined]
    ended = [one.advance(one.advance(one.begin())[0])[0] for one in trainers]  # the first rate is 0
    assert Trainer._learn._cache_size() <= before + 1  # type: ignore[attr-defined]
    easy, hard = (one.begin().parameters for one in trainers[:2])
    assert_equal_leaves(easy, hard)
    first, second = (np.asarray(s.parameters["weights"]["conv1"]["kernel"]) for s in ended[:2])
    assert np.abs(first - second).max() > 0


@pytest.mark.slow
def test_a_trained_network_is_kept_and_found_again(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sweeps.planning.trained_model"):
        first = trained(labels=8, **NET)
        assert "training, hue first, seed 3: step 2 of 2" in caplog.text
        caplog.clear()
        again = trained(labels=8, **NET)
        assert not caplog.records
    assert_equal_leaves(first.weights, again.weights)
    assert len(list((cache / "fvjax" / "trained").iterdir())) == 1
    assert first.layers["conv3"] == (16, 16, 8) and first.classes == ()


@pytest.mark.slow
def test_other_settings_are_other_networks_and_all_labels_know_no_first(cache: Path) -> None:
    for changed in (
        {"labels": 2},
        {"labels": 0},
        {"labels": 24},
        {"labels": 24, "first_attribute": "shape"},
    ):
        trained(**NET | changed)
    trained(**NET | {"labels": 0, "steps": 9})  # nothing to train
    names = [path.stem for path in (cache / "fvjax" / "trained").iterdir()]
    assert len(names) == 3
    assert {name.split("-")[1] for name in names} == {"1_1_2", "1_1_1", "8_8_8"}


@pytest.mark.slow
def test_networks_trained_beside_others_are_those_trained_alone(cache: Path) -> None:
    alone = trained(labels=4, **NET)
    for path in (cache / "fvjax" / "trained").iterdir():
        path.unlink()
    trained(labels=16, **NET | {"also_train": (0, 4)})
    files = {path: path.stat().st_mtime_ns for path in (cache / "fvjax" / "trained").iterdir()}
    assert len(files) == 3
    assert_equal_leaves(trained(labels=4, **NET).weights, alone.weights)
    assert files == {p: p.stat().st_mtime_ns for p in (cache / "fvjax" / "trained").iterdir()}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"labels": 5}, "unknown labels 5"),
        ({"steps": 0}, "model.steps must be an integer of at least 1"),
        ({"seed": -1}, "model.seed must be an integer from 0"),
        ({"also_train": (7,)}, "unknown labels 7"),
        ({"widths": (4, 4)}, "model.widths must be five"),
    ],
)
def test_bad_settings_are_refused(bad: dict[str, Any], message: str, cache: Path) -> None:
    with pytest.raises(ValueError, match=message):
        trained(**{"labels": 2, **NET, **bad})
    assert not (cache / "fvjax").exists()


def reference(model: fvjax.Model, count: int) -> ReferenceStatistics:
    return ReferenceStatistics(model, ReferenceImages("generated", model.image_size, count))


@pytest.mark.slow
def test_a_unit_stands_for_the_label_that_it_prefers() -> None:
    """A network whose conv1 has a unit for redness prefers a hue, and red among them."""
    model = trained(labels=0, **NET)
    kernel = np.zeros(model.weights["conv1"]["kernel"].shape, np.float32)
    kernel[..., 0], kernel[:, :, 1:, 0] = 1, -1  # red less green and blue
    bias = np.zeros(kernel.shape[-1], np.float32)
    weights = dict(model.weights) | {"conv1": {"kernel": kernel, "bias": bias}}
    red = model.replace(weights=weights)  # type: ignore[attr-defined]
    known = reference(red, 160)
    plain = Channel(0).resolve(Setup(red, "conv1", (64, 64)))
    found = PreferredLabel(Channel(0)).resolve(Setup(red, "conv1", (64, 64), reference=known))
    assert found.concept == "hue=red" and found.label == f"{plain.label} (hue=red)"
    assert found.channel == 0 and found.kind == "covector"
    np.testing.assert_array_equal(found.direction.vector, plain.direction.vector)
    silent = PreferredLabel(Channel(1)).resolve(Setup(red, "conv1", (64, 64), reference=known))
    assert silent.concept is None and silent.label == "conv1:1"
    assert (
        PreferredLabel(Random(0)).resolve(Setup(red, "conv1", (64, 64), reference=known)).concept
        is not None
    )


@pytest.mark.slow
def test_a_preference_needs_labelled_reference_images(tmp_path: Path) -> None:
    model = fvjax.load("tiny")
    with pytest.raises(ValueError, match="needs reference images"):
        PreferredLabel(Channel(0)).resolve(Setup(model, "conv2", (32, 32)))
    with pytest.raises(ValueError, match="no image has label"):
        PreferredLabel(Channel(0)).resolve(
            Setup(model, "conv2", (32, 32), reference=reference(model, 9))
        )


def values(lines: int) -> pd.DataFrame:
    """Two units of each network; the first line's rise by 1 a doubling, others by a little more."""
    rows = [
        ("selectivity", "conv3", "", labels, f"hue {line}", unit, level * (1 + 0.1 * line) + unit)
        for line in range(lines)
        for level, labels in enumerate((0, 2, 4, 8, 16))
        for unit in range(2)
    ]
    columns = ["measure", "layer", "objective", "labels", "line", "unit", "value"]
    return pd.DataFrame(rows, columns=columns)


def test_units_are_averaged_inside_a_network_and_intervals_are_over_networks() -> None:
    found: Any = levels(values(5)).set_index("labels")
    assert found["mean"].tolist() == pytest.approx([0.5 + 1.2 * level for level in range(5)])
    assert set(found["lines"]) == {5} and set(found["units"]) == {10}
    assert found.loc[8, "low"] < 4.1 < found.loc[8, "high"]
    more = values(5).assign(unit=2).pipe(lambda extra: pd.concat([values(5), extra, extra]))
    again = levels(more).set_index("labels")
    assert again.loc[8, "high"] - again.loc[8, "low"] == pytest.approx(
        found.loc[8, "high"] - found.loc[8, "low"]
    )
    few = levels(values(3))
    assert few[["low", "high"]].isna().all().all() and few["mean"].notna().all()


def test_a_trend_is_the_mean_slope_of_the_lines_without_the_untrained() -> None:
    rows = values(5)
    rows.loc[rows["labels"] == 0, "value"] = 99.0
    (found,) = trends(rows).to_dict("records")
    assert found["slope"] == pytest.approx(1.2) and found["low"] < 1.2 < found["high"]
    assert (found["rising"], found["lines"]) == (5, 5)


def test_units_without_a_value_do_not_count() -> None:
    rows = values(4)
    rows.loc[(rows["unit"] == 1) & (rows["line"] == "hue 0"), "value"] = np.nan
    found = levels(rows).set_index("labels")
    assert set(found["units"]) == {7}
    assert found.loc[0, "mean"] == pytest.approx((0 + 0.5 * 3) / 4)


@pytest.mark.slow
def test_the_report_measures_all_units_of_the_sweep_s_networks(tmp_path: Path) -> None:
    rows = []
    for labels in (0, 4):
        for objective in ("dot", "cosine"):
            row = {f"model_{k}": v for k, v in NET.items()} | {"model_widths": "[4, 6, 8, 8, 12]"}
            row |= {"model": "trained", "model_labels": labels, "layer": "conv3", "status": "ok"}
            row |= {
                "reference_images": "generated",
                "reference_count": 96,
                "image_height": 64,
                "seed": 0,
            }
            row |= {
                "objective": objective,
                "label": "conv3:0 (hue=red)",
                "direction": "preferred_label",
            }
            rows.append(row | {"transfer": 0.5 + 0.1 * labels / 4, "ambiguity": 3.0})
    found = values_of(pd.DataFrame(rows))
    assert set(found["line"]) == {"hue 3"} and set(found["labels"]) == {0, 4}
    pictures = found[found["measure"] == "transfer"]
    assert dict(zip(pictures["objective"], pictures["value"], strict=False)) == pytest.approx(
        {"dot": 0.6, "cosine": 0.6}
    )
    fires = found[(found["measure"] == "fires") & (found["labels"] == 4)]
    assert len(fires) == 8  # every channel of conv3, of one of which there are pictures
    index = found[found["measure"] == "selectivity"]["value"].dropna()
    assert len(index) and index.between(0, 1).all()
    assert found[found["measure"] == "accuracy"]["labels"].tolist() == [4]
    report(found, tmp_path)
    written = pd.read_csv(tmp_path / "difficulty.csv")
    assert {"selectivity", "effective attributes", "transfer"} <= set(written["measure"])
    assert (tmp_path / "difficulty.png").stat().st_size > 10_000
    assert (tmp_path / "difficulty_trends.csv").exists()


def test_other_sweeps_are_refused() -> None:
    with pytest.raises(
        ValueError, match="needs a sweep of model=trained: there is no model_labels"
    ):
        values_of(pd.DataFrame({"model": ["tiny"]}))
