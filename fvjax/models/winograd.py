"""3x3 convolution of stride 1 in fewer multiplications (Lavin and Gray, arXiv:1509.09308)."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Padding = tuple[tuple[int, int], tuple[int, int]]

# F(m x m, 3 x 3) by m, the side of an output tile: transforms of the input (B transposed), the
# kernel (G) and the output (A transposed). An input tile has m + 2 pixels a side.
_INPUT = {
    2: np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    4: np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
}
_KERNEL = {
    2: np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2,
    4: np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
}
_OUTPUT = {
    2: np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    4: np.array(
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    ),
}


def winograd(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "3 3 channels features"],
    padding: Padding,
    m: int,
) -> Float[Array, "batch out_height out_width features"]:
    """Cross-correlate `x` with `kernel`, output tile by output tile of m x m pixels, m 2 or 4.

    Padding must not be negative. Rounding is 2e-7 (m = 2) or 4e-6 (m = 4) of the largest value.
    """
    n, height, width, channels = x.shape
    (top, bottom), (left, right) = padding
    out = height + top + bottom - 2, width + left + right - 2
    down, across = -(-out[0] // m), -(-out[1] // m)
    fill = (top, (down + 1) * m - height - top), (left, (across + 1) * m - width - left)
    x = jnp.pad(x, ((0, 0), *fill, (0, 0)))
    x = x.reshape(n, down + 1, m, across + 1, m, channels)
    # Stacking between the two axes keeps XLA from computing the first one anew for each output.
    x = jnp.stack(_mix(_INPUT[m], _overlapping(x, 1)))
    x = jnp.stack(_mix(_INPUT[m], _overlapping(x, 3)), 1)
    both = jnp.asarray(np.kron(_KERNEL[m], _KERNEL[m]), kernel.dtype)
    # The barrier has XLA lift this whole, transpositions and all, out of a loop around it.
    taps = lax.optimization_barrier((both @ kernel.reshape(9, -1)).reshape(-1, *kernel.shape[2:]))
    y = jnp.matmul(x.reshape(len(taps), -1, channels), taps)
    y = y.reshape(m + 2, m + 2, n, down, across, -1)
    y = jnp.stack(_mix(_OUTPUT[m], list(y)), 1)
    y = jnp.stack(_mix(_OUTPUT[m], list(y)), 1)  # rows, columns, n, down, across, features
    y = y.transpose(2, 3, 0, 4, 1, 5).reshape(n, down * m, across * m, -1)
    return y[:, : out[0], : out[1]]


def _overlapping(x: Array, axis: int) -> list[Array]:
    """The m + 2 lines of each tile: its own m, which lie along axis + 1, and two of the next."""
    own = lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis)
    following = lax.slice_in_dim(x, 1, x.shape[axis], axis=axis)
    lines = [(own, i) for i in range(x.shape[axis + 1])] + [(following, 0), (following, 1)]
    return [lax.index_in_dim(tile, i, axis + 1, keepdims=False) for tile, i in lines]


def _mix(matrix: np.ndarray, lines: Sequence[Array]) -> list[Array]:
    """The matrix applied to a list of arrays, zeros left out."""
    return [_weighted(row, lines) for row in matrix.tolist()]


def _weighted(row: Sequence[float], lines: Sequence[Array]) -> Array:
    """Of lax's operations, which are traced several times quicker than jax.numpy's."""
    terms = sorted(((w, x) for w, x in zip(row, lines, strict=True) if w), key=lambda t: t[0] < 0)
    total = None
    for weight, line in terms:  # positive weights first
        term = line if abs(weight) == 1 else lax.mul(line, abs(float(weight)))
        if total is None:
            total = term if weight > 0 else lax.neg(term)
        else:
            total = (lax.add if weight > 0 else lax.sub)(total, term)
    assert total is not None
    return total
