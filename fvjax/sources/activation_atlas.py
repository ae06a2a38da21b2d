"""Activation atlas: vectors of many photographs, laid out in the plane and averaged in a grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from fvjax import checks
from fvjax.direction import Direction
from fvjax.image_size import ImageSize, height_width
from fvjax.sources.direction_info import DirectionInfo
from fvjax.sources.setup import Setup

Plane = Float[np.ndarray, "vectors 2"]
_COMPONENTS = 50  # principal components that t-SNE sees, as scikit-learn's guide advises
_EDGES = 1, 99  # percentiles of the layout at the grid's edges; those of Carter et al.


@dataclass(frozen=True)
class AtlasCell:
    """The mean of the reference vectors in one cell of their layout (Carter et al. 2019).

    Vectors at random positions of the reference images are laid out by the directions in which
    they point, so that similar ones are neighbours. A grid is laid over the layout.

    Attributes:
        row: the cell's row, from the top.
        column: the cell's column, from the left.
        cells: rows and columns of the grid.
        layout: tsne or pca, by scikit-learn, or umap, by the package umap-learn.
        count: vectors that are laid out, at most.
        least: vectors in a cell that has a direction.
        image_size: pixels at which the photographs are read; the job's if None.
        seed: seed of the choice of vectors and of the layout.
    """

    row: int = 0
    column: int = 0
    cells: int = 8
    layout: str = "tsne"
    count: int = 2048
    least: int = 4
    image_size: ImageSize | None = None
    seed: int = 0

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the mean with its length; a cell with too few vectors is refused."""
        means, counts = self._grid(setup)
        checks.index("direction.row", self.row, self.cells)
        checks.index("direction.column", self.column, self.cells)
        count = int(counts[self.row, self.column])
        if count < self.least:
            raise ValueError(
                f"the atlas has {count} vectors at direction.row={self.row} "
                f"direction.column={self.column}, fewer than direction.least={self.least}: "
                "direction.row=each takes the cells that have enough"
            )
        vector = jnp.asarray(means[self.row, self.column], jnp.float32)
        label = f"{setup.layer}:atlas {self.row},{self.column}"
        return DirectionInfo(Direction(vector=vector, layer=setup.layer), label, "point")

    def filled(self, setup: Setup) -> list[tuple[int, int]]:
        """Return row and column of each cell that has a direction, row by row."""
        _, counts = self._grid(setup)
        return [(int(row), int(column)) for row, column in np.argwhere(counts >= self.least)]

    def _grid(
        self, setup: Setup
    ) -> tuple[Float[np.ndarray, "rows columns channels"], Int[np.ndarray, "rows columns"]]:
        """Return each cell's mean vector, zero if it is empty, and its number of vectors."""
        for name, least in (("cells", 1), ("count", 4), ("least", 1), ("seed", 0)):
            checks.count(f"direction.{name}", getattr(self, name), least)
        checks.choice("direction.layout", self.layout, LAYOUTS)
        reference, layer = setup.require_reference("direction=atlas_cell"), setup.layer
        if self.image_size is not None:
            reference = reference.at_size(height_width(self.image_size, "direction.image_size"))

        def compute() -> dict[str, np.ndarray]:
            rows = reference.vectors(layer)
            chosen = rows[np.random.default_rng(self.seed).permutation(len(rows))[: self.count]]
            chosen = chosen[np.any(chosen != 0, 1)].astype(np.float64)
            if len(chosen) < 4:
                raise ValueError(f"layer {layer!r} has {len(chosen)} reference vectors, too few")
            pointing = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
            return averaged(chosen, LAYOUTS[self.layout](pointing, self.seed), self.cells)

        grid = (self.cells, self.cells)
        shapes = {"means": (*grid, setup.channels()), "counts": grid}
        name = f"atlas {self.layout} {self.cells} {self.count} seed {self.seed} of {layer}"
        found = reference.stored.get_or_compute(name, compute, shapes)
        return found["means"], found["counts"]


def averaged(
    vectors: Float[np.ndarray, "vectors channels"], plane: Plane, cells: int
) -> dict[str, np.ndarray]:
    """Return the mean vector and the number of vectors of each cell of a grid over the plane."""
    low, high = np.percentile(plane, _EDGES, axis=0)
    share = (plane - low) / np.where(high > low, high - low, 1)
    places = np.clip(np.floor(share * cells), 0, cells - 1).astype(int)
    column, row = places[:, 0], cells - 1 - places[:, 1]
    counts, sums = np.zeros((cells, cells), np.int32), np.zeros((cells, cells, vectors.shape[1]))
    np.add.at(counts, (row, column), 1)
    np.add.at(sums, (row, column), vectors)
    return {
        "means": (sums / np.maximum(counts, 1)[..., None]).astype(np.float32),
        "counts": counts,
    }


def _tsne(rows: Any, seed: int) -> Plane:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    few = PCA(min(_COMPONENTS, *rows.shape), random_state=seed).fit_transform(rows)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    plane: Plane = TSNE(2, perplexity=perplexity, random_state=seed).fit_transform(few)
    return plane


def _pca(rows: Any, seed: int) -> Plane:
    from sklearn.decomposition import PCA

    plane: Plane = PCA(2, random_state=seed).fit_transform(rows)
    return plane


def _umap(rows: Any, seed: int) -> Plane:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ValueError(
            "direction.layout=umap needs the package umap-learn: run 'pip install umap-learn', "
            "or give direction.layout=tsne"
        ) from error
    fit = UMAP(n_neighbors=min(20, len(rows) - 1), min_dist=0.01, random_state=seed)
    plane: Plane = fit.fit_transform(rows)
    return plane


LAYOUTS: Mapping[str, Callable[[Any, int], Plane]] = {"tsne": _tsne, "pca": _pca, "umap": _umap}
