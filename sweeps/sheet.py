"""The contact sheet: rows are directions and seeds, columns what else differs between jobs."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

_ROW = ("layer", "label", "seed")
_GAP = 4  # pixels between tiles
_SIDES = 112, 160  # least and most pixels of a tile
_MOST = 24, 60  # columns and rows on one sheet
_GROUPS = ("objective", "penalty", "space", "parameterization", "transform", "optimizer", "model")


def arms(results: pd.DataFrame) -> pd.Series:
    """What each job is apart from its direction and seed, as text: `dot_cosine exponent=2`.

    Made of the config columns that differ between jobs; a group's keys only where they differ
    within its option.
    """
    names = [c for c in results.columns if c in _GROUPS]
    parts = {c: results[c].astype(str) for c in names if results[c].nunique() > 1}
    if "objective" in names:
        parts["objective"] = results["objective"].astype(str)
    if "penalty" in parts:
        parts["penalty"] = parts["penalty"].where(parts["penalty"] != "none", "")
    for column in ("learning_rate", "steps", "size", "position", "precision"):
        if column in results and results[column].nunique() > 1:
            parts[column] = column + "=" + results[column].astype(str)
    for group in names:
        for column in (c for c in results.columns if c.startswith(f"{group}_")):
            differs = results.groupby(group)[column].transform("nunique") > 1
            if differs.any():
                text = column.removeprefix(f"{group}_") + "=" + results[column].map(_short)
                parts[column] = text.where(differs, "")
    order = sorted(parts, key=lambda c: [c.split("_")[0] != g for g in _GROUPS])
    joined = pd.DataFrame({c: parts[c] for c in order}).agg(" ".join, axis=1)
    return joined.str.split().str.join(" ")


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def write_sheet(results: pd.DataFrame, path: Path) -> None:
    """Write the contact sheet of a table of results as a PNG."""
    results = results.assign(arm=arms(results))
    shown = results.drop_duplicates(["arm", *_ROW])
    columns = list(dict.fromkeys(shown["arm"]))[: _MOST[0]]
    rows = list(dict.fromkeys(shown[list(_ROW)].itertuples(index=False, name=None)))
    rows.sort(key=lambda row: (row[0], _natural(row[1]), row[2]))
    rows = rows[: _MOST[1]]
    images = dict(
        zip(
            shown[[*_ROW, "arm"]].itertuples(index=False, name=None),
            zip(shown["image"], shown["status"], strict=True),
            strict=True,
        )
    )
    side = max(_SIDES[0], min(_SIDES[1], int(results["size"].max())))
    step = side + _GAP
    canvas = np.full((len(rows) * step + _GAP, len(columns) * step + _GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, arm in enumerate(columns):
            tile = _tile(*images.get((*row, arm), (None, None)), side)
            canvas[_GAP + i * step :, _GAP + j * step :][:side, :side] = tile
    _draw(canvas, rows, columns, step, path, hidden=results["arm"].nunique() > len(columns))


def _natural(label: str) -> tuple[str, int, str]:
    head, _, tail = label.rpartition(":")
    return (head, int(tail), "") if tail.isdigit() else (label, 0, "")


def _tile(image: dict[str, object] | None, status: str | None, side: int) -> np.ndarray:
    """The picture at the sheet's size; white where there is no job, a cross where it failed."""
    if image is None:
        tile = np.full((side, side, 3), 255, np.uint8)
        if status is not None:
            eye = np.eye(side, dtype=bool)
            tile[eye | eye[::-1]] = (200, 0, 0)
        return tile
    data = image["bytes"]
    assert isinstance(data, bytes)
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))


def _draw(
    canvas: np.ndarray,
    rows: list[tuple[str, str, int]],
    columns: list[str],
    step: int,
    path: Path,
    hidden: bool,
) -> None:
    dpi = 100
    left, top = 2.4, 0.7  # inches of labels
    height, width = canvas.shape[0] / dpi, canvas.shape[1] / dpi
    figure = Figure(figsize=(width + left, height + top), dpi=dpi)
    axes = figure.add_axes(
        (left / (width + left), 0, width / (width + left), height / (height + top))
    )
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    middle = step / 2 + _GAP / 2
    seeds = len({row[2] for row in rows}) > 1
    names = [f"{label} seed {seed}" if seeds else label for _, label, seed in rows]
    axes.set_yticks([i * step + middle for i in range(len(rows))], names, fontsize=8)
    axes.xaxis.tick_top()
    wrapped = [arm.replace(" ", "\n") for arm in columns]
    axes.set_xticks([j * step + middle for j in range(len(columns))], wrapped, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if hidden:
        figure.text(0.01, 0.99, "more columns in results.parquet", fontsize=7, va="top")
    partial = path.with_suffix(".partial")
    figure.savefig(partial, format="png", facecolor="white")
    partial.replace(path)
