"""Cells of an activation atlas are means of vectors that point alike."""

import numpy as np
import pytest

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.sources import AtlasCell, Setup
from fvjax.sources.activation_atlas import averaged

MODEL = fvjax.load("tiny")
REFERENCE = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 24))
SETUP = Setup(MODEL, "conv2", (32, 32), reference=REFERENCE)


def test_a_cell_is_the_mean_of_the_vectors_at_its_place() -> None:
    plane = np.array([[0.0, 0.0], [0.1, 0.1], [1.0, 1.0], [1.0, 0.0]])
    vectors = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [7.0, 7.0]])
    found = averaged(vectors, plane, 2)
    np.testing.assert_array_equal(found["counts"], [[0, 1], [2, 1]])  # row 0 is the top
    np.testing.assert_array_equal(found["means"][1, 0], [2.0, 0.0])
    np.testing.assert_array_equal(found["means"][0, 1], [0.0, 5.0])
    np.testing.assert_array_equal(found["means"][0, 0], [0.0, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["pca", "tsne"])
def test_neighbours_point_alike(layout: str) -> None:
    cells = {
        (row, column): AtlasCell(row, column, cells=4, layout=layout, count=256).resolve(SETUP)
        for row, column in AtlasCell(cells=4, layout=layout, count=256).filled(SETUP)
    }
    assert len(cells) >= 6
    assert {info.kind for info in cells.values()} == {"point"}
    assert len({info.label for info in cells.values()}) == len(cells)
    units = {
        place: np.asarray(info.direction.vector) / np.linalg.norm(info.direction.vector)  # type: ignore[union-attr]
        for place, info in cells.items()
    }
    pairs = [(a, b) for a in units for b in units if a < b]
    near = [units[a] @ units[b] for a, b in pairs if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]
    far = [units[a] @ units[b] for a, b in pairs if abs(a[0] - b[0]) + abs(a[1] - b[1]) >= 4]
    assert np.mean(near) > np.mean(far)


def test_photographs_are_read_at_another_size_and_the_layout_is_kept() -> None:
    said: list[str] = []
    reference = ReferenceStatistics(
        MODEL, ReferenceImages("generated", (32, 32), 8), announce=said.append
    )
    setup = Setup(MODEL, "conv2", (32, 32), reference=reference)
    cell = AtlasCell(layout="pca", cells=2, image_size=48)
    first = cell.filled(setup)
    announced = list(said)
    assert cell.filled(setup) == first and said == announced
    assert reference.at_size((48, 48)) is reference.at_size((48, 48))
    assert reference.at_size((48, 48)).vectors("conv2").shape[0] == 8 * 24 * 24


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (AtlasCell(row=4, cells=4, layout="pca"), r"direction\.row must be an integer from 0 to 3"),
        (AtlasCell(layout="pca", least=10**6), "fewer than direction.least=1000000"),
        (AtlasCell(layout="tsnee"), "did you mean tsne"),
        (AtlasCell(layout="pca", cells=0), "direction.cells"),
    ],
)
def test_mistakes_are_said(cell: AtlasCell, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cell.resolve(SETUP)


def test_an_atlas_needs_reference_images() -> None:
    with pytest.raises(ValueError, match="needs reference images"):
        AtlasCell().resolve(Setup(MODEL, "conv2", (32, 32)))


def test_umap_is_asked_for_where_it_is_absent() -> None:
    try:
        import umap  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="pip install umap-learn"):
            AtlasCell(layout="umap").resolve(SETUP)
