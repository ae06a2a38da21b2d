"""Convolution of stride 1 in fewer multiplications (Lavin and Gray, arXiv:1509.09308)."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Padding = tuple[tuple[int, int], tuple[int, int]]

# Side of an input tile -> input transform (B transposed). Interpolation points: 0 1 -1 and infinity
# (side 4), 0 1 -1 2 -2 and infinity (side 6).
_INPUT = {
    4: np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    6: np.array(
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
# F(m x m, r x r), side m of an output tile and side r of the kernel -> transforms of the kernel (G)
# and the output (A transposed). An input tile has m + r - 1 pixels a side.
_KERNEL = {
    (2, 3): np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2,
    (4, 3): np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]])
    / 24,
    (2, 5): np.array(
        [
            [6, 0, 0, 0, 0],
            [-4, -4, -4, -4, -4],
            [-4, 4, -4, 4, -4],
            [1, 2, 4, 8, 16],
            [1, -2, 4, -8, 16],
            [0, 0, 0, 0, 24],
        ]
    )
    / 24,
}
_OUTPUT = {
    (2, 3): np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    (4, 3): np.array(
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    ),
    (2, 5): np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 1]]),
}


def winograd(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "side side channels features"],
    padding: Padding,
    m: int,
) -> Float[Array, "batch out_height out_width features"]:
    """Cross-correlate `x` with `kernel` in output tiles of m x m pixels.

    m is 2 or 4 for a 3 x 3 kernel, 2 for a 5 x 5 kernel. Padding must not be negative. The rounding
    error relative to the largest value is 2e-7 (input tiles of side 4) or 4e-6 (side 6).
    """
    n, height, width, channels = x.shape
    r = kernel.shape[0]
    (top, bottom), (left, right) = padding
    out = height + top + bottom - r + 1, width + left + right - r + 1
    down, across = -(-out[0] // m), -(-out[1] // m)
    more = -(-(r - 1) // m)  # further tiles that an input tile overlaps
    fill = (top, (down + more) * m - height - top), (left, (across + more) * m - width - left)
    x = jnp.pad(x, ((0, 0), *fill, (0, 0)))
    x = x.reshape(n, down + more, m, across + more, m, channels)
    # Stacking between the two axes keeps XLA from recomputing the first axis for each output.
    transform = _INPUT[m + r - 1]
    x = jnp.stack(_mix(transform, _overlapping(x, 1, r)))
    x = jnp.stack(_mix(transform, _overlapping(x, 3, r)), 1)
    # The barrier lets XLA lift this, with its transpositions, out of a surrounding loop.
    taps = lax.optimization_barrier(_taps(kernel, _KERNEL[m, r]))
    y = jnp.matmul(x.reshape(len(taps), -1, channels), taps)
    y = y.reshape(m + r - 1, m + r - 1, n, down, across, -1)
    y = jnp.stack(_mix(_OUTPUT[m, r], list(y)), 1)
    y = jnp.stack(_mix(_OUTPUT[m, r], list(y)), 1)  # rows, columns, n, down, across, features
    y = y.transpose(2, 3, 0, 4, 1, 5).reshape(n, down * m, across * m, -1)
    return y[:, : out[0], : out[1]]


def _taps(kernel: Array, transform: np.ndarray) -> Array:
    """Return the kernel's transform, (taps, channels, features).

    Both axes are transformed by one matrix product: XLA:CPU compiles code for sums, and for each
    kernel of a network again.
    """
    side, _, channels, features = kernel.shape
    both = jnp.asarray(np.kron(transform, transform), kernel.dtype)
    taps = jnp.matmul(both, kernel.reshape(side * side, -1), precision=lax.Precision.HIGHEST)
    return taps.reshape(-1, channels, features)


def _overlapping(x: Array, axis: int, r: int) -> list[Array]:
    """Return the m + r - 1 lines of each tile: its m lines along axis + 1, and the next lines."""
    m = x.shape[axis + 1]
    more = -(-(r - 1) // m)
    tiles = x.shape[axis] - more
    ahead = [lax.slice_in_dim(x, i, i + tiles, axis=axis) for i in range(more + 1)]
    return [
        lax.index_in_dim(ahead[i // m], i % m, axis + 1, keepdims=False) for i in range(m + r - 1)
    ]


def _mix(matrix: np.ndarray, lines: Sequence[Array]) -> list[Array]:
    """Apply a matrix to a list of arrays, skipping zeros."""
    return [_weighted(row, lines) for row in matrix.tolist()]


def _weighted(row: Sequence[float], lines: Sequence[Array]) -> Array:
    """Return a weighted sum, by lax's operations: jax.numpy's are traced several times slower."""
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
