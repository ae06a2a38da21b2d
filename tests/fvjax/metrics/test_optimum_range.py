"""Purities among optima: exact where the optimum is unique, a range where it is not."""

import numpy as np
import pytest
from scipy.optimize import linprog

from fvjax.metrics.optimum_range import purity_range
from fvjax.models.model import Model
from fvjax.models.planted import planted
from fvjax.models.tiny import tiny


def world(geometry: str, severity: float) -> Model:
    return planted(geometry=geometry, severity=severity, orientations=2)


@pytest.mark.parametrize("objective", ["cosine", "inversion"])
@pytest.mark.parametrize(("geometry", "severity"), [("skewed", 0.5), ("random", 1.0)])
def test_an_injective_mixing_has_one_optimum(
    objective: str, geometry: str, severity: float
) -> None:
    np.testing.assert_allclose(purity_range(world(geometry, severity), objective, 3), 1, atol=1e-6)


def test_the_dot_product_wants_all_that_overlaps() -> None:
    np.testing.assert_allclose(purity_range(world("skewed", 0.5), "dot", 3), 1 / 16)
    paired = purity_range(world("paired", 0.5), "dot", 3)
    assert paired.high == 1 / 2 and paired.low == 1 / 16  # what has no overlap is free


def test_superposed_features_have_one_optimum_or_many_by_the_world() -> None:
    """The cosine has one optimum if and only if no positive combination of the vectors is 0."""
    several, single = (
        planted(geometry="superposed", severity=1.0, orientations=4, world=w) for w in (0, 1)
    )
    low, high = purity_range(several, "cosine", 10)
    assert low == pytest.approx(0, abs=1e-6) and high == pytest.approx(1, abs=1e-6)
    narrower = purity_range(several, "inversion", 10)  # it has more constraints
    assert 0.05 < narrower.low < 0.1 and narrower.high == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(purity_range(single, "cosine", 10), 1, atol=1e-6)
    for model, has_combination in ((several, True), (single, False)):
        vectors = np.asarray(model.weights["mixing"][:32], np.float64)
        system = np.vstack([vectors.T, np.ones(32)])
        found = linprog(np.zeros(32), A_eq=system, b_eq=np.eye(33)[32])
        assert found.success == has_combination


def test_a_free_gain_leaves_the_cosine_s_optimum_pure() -> None:
    """The gain adds to every channel alike, which no vector of an orthogonal world has."""
    np.testing.assert_allclose(purity_range(world("exciting", 1.0), "cosine", 0), 1, atol=1e-6)


def test_other_models_and_objectives_are_refused() -> None:
    with pytest.raises(ValueError, match="only the features of model=planted"):
        purity_range(tiny(), "cosine", 0)
    with pytest.raises(ValueError, match=r"unknown objective 'cosin'.*cosine"):
        purity_range(world("skewed", 0.5), "cosin", 0)
    with pytest.raises(ValueError, match="index must be an integer from 0 to 15"):
        purity_range(world("skewed", 0.5), "cosine", 16)
