"""Decompositions are numpy's, on one thread whatever the machine has."""

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from fvjax import linalg


@pytest.mark.parametrize("name", ["eigh", "eigvalsh", "pinv"])
def test_a_decomposition_is_that_of_numpy_on_one_thread(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 6))
    original, threads = getattr(np.linalg, name), []

    def watched(matrix: Any) -> Any:
        pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
        threads.extend(p["num_threads"] for p in pools)
        return original(matrix)

    monkeypatch.setattr(np.linalg, name, watched)
    found = getattr(linalg, name)(rows.T @ rows)
    np.testing.assert_allclose(found[0], original(rows.T @ rows)[0], rtol=1e-9)
    assert threads and set(threads) == {1}
