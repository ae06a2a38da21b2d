"""Selectivity: what a unit must score whose labels are known by construction."""

import numpy as np
import pytest

from fvjax.metrics.selectivity import effective_number, precision, selectivity

COUNTS = (8, 8, 8)
# Every combination of shape, texture and hue once: heads are independent to the last image.
LABELS = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3)
SHAPE, TEXTURE, HUE = LABELS.T


def column(responses: np.ndarray) -> np.ndarray:
    return np.asarray(responses, np.float64)[:, None]


def test_a_unit_that_fires_for_one_label_has_index_one_and_one_label() -> None:
    found = selectivity(column(TEXTURE == 5), LABELS, COUNTS)
    assert (found.attribute[0], found.label[0]) == (1, 5)
    assert found.index[0] == pytest.approx(1) and found.effective_labels[0] == pytest.approx(1)
    assert found.effective_attributes[0] == pytest.approx(1)
    np.testing.assert_allclose(found.explained[0], [0, 1, 0], atol=1e-12)


def test_a_constant_unit_has_index_zero_and_all_labels_and_prefers_none() -> None:
    found = selectivity(column(np.full(512, 0.7)), LABELS, COUNTS)
    assert found.index[0] == pytest.approx(0) and found.effective_labels[0] == pytest.approx(8)
    assert found.attribute[0] == found.label[0] == -1 and np.isnan(found.effective_attributes[0])


def test_a_unit_that_never_fires_has_no_selectivity() -> None:
    found = selectivity(column(np.zeros(512)), LABELS, COUNTS)
    assert np.isnan(
        [found.index[0], found.effective_labels[0], found.effective_attributes[0]]
    ).all()
    assert np.isnan(found.explained).all() and found.attribute[0] == -1
    assert np.isnan(precision(column(np.zeros(512)), LABELS, found, 8)[0])


@pytest.mark.parametrize("several", [1, 2, 4, 8])
def test_a_unit_that_fires_for_several_labels_alike_has_so_many(several: int) -> None:
    # A little of one hue keeps the last one, of all textures, from being constant.
    unit = np.isin(TEXTURE, range(several)) + 1e-6 * (HUE == 3)
    found = selectivity(column(unit), LABELS, COUNTS)
    head = 1 if several < 8 else 2
    assert found.attribute[0] == head
    assert found.effective_labels[0] == pytest.approx(several, rel=1e-4)
    rest = (several - 1) / 7
    assert found.index[0] == pytest.approx((1 - rest) / (1 + rest), abs=1e-4)


def test_a_unit_for_two_attributes_alike_has_two_heads_and_three_has_three() -> None:
    two = (TEXTURE == 5).astype(float) + (HUE == 1)
    three = two + (SHAPE == 7)
    found = selectivity(np.stack([two, three], -1), LABELS, COUNTS)
    np.testing.assert_allclose(found.effective_attributes, [2, 3], rtol=1e-9)
    np.testing.assert_allclose(found.explained[0, 1:], 0.5, atol=0.01)


def test_names_of_labels_and_the_order_of_images_and_heads_do_not_matter() -> None:
    draws = np.random.default_rng(0)
    units = draws.gamma(0.5, size=(512, 6)) * (1 + 2 * (TEXTURE == 2) + (HUE > 3))[:, None]
    plain = selectivity(units, LABELS, COUNTS)
    images, names = draws.permutation(512), draws.permutation(8)
    renamed = names[LABELS[images]][:, [2, 0, 1]]
    other = selectivity(units[images], renamed, COUNTS)
    np.testing.assert_allclose(other.index, plain.index)
    np.testing.assert_allclose(other.effective_labels, plain.effective_labels)
    np.testing.assert_allclose(other.effective_attributes, plain.effective_attributes)
    np.testing.assert_allclose(other.explained, plain.explained[:, [2, 0, 1]])
    np.testing.assert_array_equal(other.label, names[plain.label])


def test_the_scale_of_a_unit_does_not_matter_and_a_baseline_lowers_the_index() -> None:
    unit = np.random.default_rng(1).gamma(0.3, size=512) * (1 + (SHAPE == 4))
    found = selectivity(np.stack([unit, 3 * unit, unit + 1], -1), LABELS, COUNTS)
    np.testing.assert_allclose(found.explained[1:], found.explained[[0, 0]], atol=1e-12)
    assert found.index[1] == pytest.approx(found.index[0])
    assert (
        found.index[2] < 0.7 * found.index[0]
        and found.effective_labels[2] > found.effective_labels[0]
    )


def test_labels_explain_nothing_of_noise_on_average_however_few_the_images() -> None:
    draws = np.random.default_rng(2)
    few = draws.permutation(512)[:64]
    found = selectivity(draws.gamma(1.0, size=(64, 2000)), LABELS[few], COUNTS)
    plain = 7 / 63  # eta squared's expectation, without the correction
    assert found.explained.mean() < 0.4 * plain  # what is left is cut off at 0
    assert np.median(found.explained) < 0.1 * plain


def test_negative_responses_have_a_preferred_label_and_no_index() -> None:
    found = selectivity(column((HUE == 6) - 0.5), LABELS, COUNTS)
    assert (found.attribute[0], found.label[0]) == (2, 6)
    assert np.isnan(found.index[0]) and np.isnan(found.effective_labels[0])


def test_precision_is_the_share_of_the_best_images_that_have_the_label() -> None:
    unit = np.where(HUE == 6, 1.0, 0.1)
    unit[np.flatnonzero(HUE == 2)[:4]] = 9.0  # the four best are of another hue
    found = selectivity(column(unit), LABELS, COUNTS)
    found.attribute[0], found.label[0] = 2, 6
    assert precision(column(unit), LABELS, found, 16)[0] == pytest.approx(12 / 16)


def test_the_effective_number_is_between_one_and_all() -> None:
    weights = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]])
    np.testing.assert_allclose(effective_number(weights), [1, 2, 4, np.nan])
    assert 1 < effective_number(np.array([3.0, 1, 0])) < 2


def test_labels_without_images_and_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="no image has label 7 of attribute 1"):
        selectivity(np.ones((448, 1)), LABELS[TEXTURE < 7], COUNTS)
    with pytest.raises(ValueError, match="8 labels need more images than that, got 8"):
        selectivity(np.ones((8, 1)), LABELS[:8, ::-1], (8, 1, 1))
