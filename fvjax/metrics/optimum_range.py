"""The purities among all optima of an objective in a planted model, by linear programming.

`ideal_optimum` returns one optimum. Where other contents share its score, their purities may be
anything between two bounds. For the dot product, cosine and inversion the optima are the points of
a polytope, so both bounds are exact.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import linprog

from fvjax import checks
from fvjax.models.model import Model
from fvjax.models.planted import vectors_of

EXACT = ("dot", "cosine", "inversion")  # objectives without a penalty, in the plain space
_ZERO = 1e-6  # coefficients of less are rounding

Features = Float[np.ndarray, "features channels"]


class Range(NamedTuple):
    """The least and the largest purity, the raw share of the feature among all features."""

    low: float
    high: float


def purity_range(model: Model, objective: str, index: int) -> Range:
    """Return the purities that optima of an objective for a feature's vector can have.

    A content is x in [0, 1]: of the features, the decoys and the decoys' gain. `mixed` is linear in
    x. The optima are: of the dot product, every unit with a positive coefficient fully on and every
    unit with a coefficient of 0 free; of cosine, contents whose activation is a positive
    multiple of the vector; of inversion, contents whose activation is the vector.

    Args:
        model: a planted model; the layer is `mixed`.
        objective: one of `EXACT`.
        index: number of the feature.

    Raises:
        ValueError: a model that is not planted, an unknown objective or feature.
    """
    checks.choice("objective", objective, EXACT)
    vectors = np.asarray(vectors_of(model, "mixed"), np.float64)
    features = len(vectors)
    checks.index("index", index, features)
    units, vector = _units(model, vectors), vectors[index]
    if objective == "dot":
        return _of_dot(units[:features] @ vector, index)
    # With s = 1 / (sum of the features' content) a share is linear: Charnes and Cooper 1962.
    # Unknowns: each unit's content times s, then the length of the activation times s.
    equal = np.zeros((len(vector) + 1, len(units) + 1))
    equal[:-1, :-1], equal[:-1, -1] = units.T, -vector
    equal[-1, :features] = 1
    inequalities = {}
    if objective == "inversion":  # the length is 1: the last unknown is s
        most = np.hstack([np.eye(len(units)), -np.ones((len(units), 1))])
        inequalities = {"A_ub": most, "b_ub": np.zeros(len(units))}
    wanted = np.zeros(len(units) + 1)
    wanted[index] = 1
    right = np.append(np.zeros(len(vector)), 1.0)
    ends = [linprog(sign * wanted, A_eq=equal, b_eq=right, **inequalities) for sign in (1, -1)]
    return Range(*(float(end.x[index]) if end.success else np.nan for end in ends))


def _units(model: Model, vectors: Features) -> Float[np.ndarray, "units channels"]:
    """Return what each unit adds to `mixed` when it is fully on: features, decoys, gain."""
    weights = {name: np.asarray(model.weights[name], np.float64) for name in model.weights}
    leaks = weights["depth"] * weights["mixing"][len(vectors) :]
    gain = weights["gain"] * np.ones((1, vectors.shape[1]))
    units: np.ndarray = np.concatenate([vectors, leaks, gain])
    return units


def _of_dot(coefficients: Float[np.ndarray, "features"], index: int) -> Range:
    on = int(np.sum(coefficients > _ZERO))
    free = int(np.sum(np.abs(coefficients) <= _ZERO))
    assert coefficients[index] > _ZERO
    return Range(1 / (on + free), 1 / on)
