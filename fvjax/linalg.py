"""numpy's decompositions of matrices, each on one thread.

The threads of OpenBLAS wait actively for each other. Beside other processes on two cores, two
threads took 1 to 8 s for the eigenvectors of 1,000 channels, and one thread .2 s.
"""

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

Symmetric = Float[np.ndarray, "values values"]


def eigh(matrix: Symmetric) -> tuple[Float[np.ndarray, "values"], Symmetric]:
    """Return the eigenvalues of a symmetric matrix, least first, and eigenvectors as columns."""
    with threadpool_limits(1, "blas"):
        values, vectors = np.linalg.eigh(matrix)
    return values, vectors


def eigvalsh(matrix: Symmetric) -> Float[np.ndarray, "values"]:
    """Return the eigenvalues of a symmetric matrix, least first."""
    with threadpool_limits(1, "blas"):
        return np.linalg.eigvalsh(matrix)


def pinv(matrix: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "columns rows"]:
    """Return the pseudo-inverse of a matrix."""
    with threadpool_limits(1, "blas"):
        return np.linalg.pinv(matrix)
