"""An atlas has each cell's picture at its place, and one atlas for each arm."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sweeps.studies.activation_atlas import write_atlas
from sweeps.studies.activation_grid import place_pictures


def picture(level: int) -> dict[str, object]:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), level, np.uint8)).save(buffer, format="png")
    return {"bytes": buffer.getvalue(), "path": ""}


def jobs() -> pd.DataFrame:
    cells = [(0, 1), (2, 0), (2, 2)]
    rows = [
        {"job": 0, "objective": objective, "direction": "atlas_cell", "direction_row": row}
        | {"direction_column": column, "direction_cells": 3, "status": "ok", "label": "a"}
        | {"layer": "conv4", "seed": 0, "image_height": 4, "image_width": 6}
        | {"image": picture(10 * row + column)}
        for objective in ("dot", "cosine")
        for row, column in cells
    ]
    return pd.DataFrame(rows)


def test_pictures_lie_at_their_cells_and_the_rest_is_empty() -> None:
    table = jobs().head(3)
    table.loc[2, "image"] = None
    canvas = place_pictures(table, [(0, 1), (2, 0), (2, 2)], 3, 255)
    assert canvas.shape == (12, 18, 3)
    assert (canvas[:4, 6:12] == 1).all() and (canvas[8:, :6] == 20).all()
    assert (canvas[4:8] == 255).all() and (canvas[8:, 12:] == 255).all()


def test_an_atlas_is_drawn_for_each_arm(tmp_path: Path) -> None:
    write_atlas(jobs(), tmp_path / "atlas.png")
    with Image.open(tmp_path / "atlas.png") as drawn:
        assert drawn.width > 1.8 * drawn.height


def test_other_jobs_are_no_atlas(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="direction=atlas_cell"):
        write_atlas(jobs().drop(columns="direction_row"), tmp_path / "atlas.png")
