"""The contact sheet: rows are directions and seeds, columns are the other differences of jobs."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from sweeps.results.flatten import flatten
from sweeps.results.labels import arm_labels, natural_sort_key, row_labels, wrap_label
from sweeps.storage.atomic import atomic_write

_SMOOTH = Image.Resampling.LANCZOS
_GAP, _FRAME = 8, 3  # pixels between tiles, and of the frame around a marked tile
_SIDES = 112, 160  # least and most pixels of a tile
_MOST = 24, 60  # columns and rows on one sheet
_LETTER = 7  # pixels of the widest common letter
_MARKS = {  # status -> text of the legend, colour
    "failed": ("red: failed", (200, 0, 0)),
    "diverged": ("orange: diverged, or too few steps", (235, 120, 0)),
    "dead": ("grey: dead", (120, 120, 120)),
    "collapsed": ("violet: collapsed, a blank picture", (130, 60, 170)),
}


def write_sheet(results: pd.DataFrame, path: Path) -> int:
    """Write the contact sheet of a table as PNG; return the number of jobs that it omits.

    Jobs that share no row and no column, such as those of two networks, make separate blocks.
    """
    jobs = results.assign(row=row_labels(results), arm=arm_labels(results)).drop_duplicates(
        ["row", "arm"]
    )
    blocks, rows = [], _MOST[1]
    for block in _blocks(jobs):
        names = _row_names(block)[:rows]
        arms = list(dict.fromkeys(block["arm"]))[: _MOST[0]]
        blocks.append(block[block["row"].isin(names) & block["arm"].isin(arms)])
        rows -= len(names)
    blocks = [block for block in blocks if len(block)]
    hidden = len(results) - sum(map(len, blocks))
    notes = [text for status, (text, _) in _MARKS.items() if (jobs["status"] == status).any()]
    notes = [not_shown(hidden), *notes] if hidden else notes
    side = max(_SIDES[0], min(_SIDES[1], int(results["image_height"].max())))
    drawn = []
    for block in blocks:
        # What a whole block shares is said once, and each column says what differs in the block.
        title = _shared_words(block["arm"]) if len(blocks) > 1 else ""
        block = block.assign(arm=arm_labels(results.loc[block.index]))
        drawn.append(_draw_block(block, side, [*([title] if title else []), *notes]))
        notes = []
    _write(_stacked(drawn), path)
    return hidden


def _blocks(jobs: pd.DataFrame) -> list[pd.DataFrame]:
    """Split jobs into groups that share neither a row nor a column."""
    group = pd.Series(range(len(jobs)), jobs.index)
    while True:
        joined = group.groupby(jobs["row"]).transform("min").groupby(jobs["arm"]).transform("min")
        if joined.equals(group):
            return [block for _, block in jobs.groupby(group)]
        group = joined


def _row_names(jobs: pd.DataFrame) -> list[str]:
    """Return the labels of the rows, ordered by layer, then by label."""
    layer_of = dict(zip(jobs["row"], jobs["layer"].astype(str), strict=True))
    return sorted(layer_of, key=lambda row: (layer_of[row], natural_sort_key(row)))


def _shared_words(labels: pd.Series) -> str:
    """Return the words that every label holds, in the order of the first label."""
    words = [label.split() for label in labels]
    return " ".join(word for word in words[0] if all(word in others for others in words))


def _draw_block(jobs: pd.DataFrame, side: int, notes: Sequence[str]) -> Image.Image:
    """Draw jobs as a grid of tiles: their `row` by their `arm`."""
    names, columns = _row_names(jobs), list(dict.fromkeys(jobs["arm"]))
    step = side + _GAP
    canvas = np.full((len(names) * step + _GAP, len(columns) * step + _GAP, 3), 255, np.uint8)
    places = zip(jobs["row"], jobs["arm"], jobs["image"], jobs["status"], strict=True)
    for row, arm, image, status in places:
        top, left = (_GAP + i * step for i in (names.index(row), columns.index(arm)))
        if image is not None and status in _MARKS:
            frame = canvas[top - _FRAME :, left - _FRAME :]
            frame[: side + 2 * _FRAME, : side + 2 * _FRAME] = _MARKS[status][1]
        canvas[top : top + side, left : left + side] = tile(image, status, side)
    return draw(canvas, names, columns, notes)


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures one below the other."""
    size = max(p.width for p in pictures), sum(p.height for p in pictures)
    whole, top = Image.new("RGB", size, "white"), 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole


def _write(picture: Image.Image, path: Path) -> None:
    with atomic_write(path) as partial:
        picture.save(partial, format="png")


def not_shown(hidden: int) -> str:
    """Return the note on the jobs that the sheet omits."""
    return f"{hidden} jobs not shown; all are in results.parquet"


def tile(image: dict[str, object] | None, status: str, side: int) -> np.ndarray:
    """Return the image at the tile's size; without image, a cross in the status's colour."""
    if image is None:
        tile = np.full((side, side, 3), 255, np.uint8)
        eye = np.eye(side, dtype=bool)
        tile[eye | eye[::-1]] = _MARKS[status][1]
        return tile
    data = image["bytes"]
    assert isinstance(data, bytes)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        padded = ImageOps.pad(flatten(picture), (side, side), _SMOOTH, "white")
    return np.asarray(padded)


def write_tiles(tiles: Sequence[Sequence[np.ndarray]], names: Sequence[str], path: Path) -> int:
    """Write rows of images (height, width, 3) in [0, 1] as PNG; return how many rows it omits."""
    shown, width = tiles[: _MOST[1]], max(len(row) for row in tiles)
    step = _SIDES[0] + _GAP
    canvas = np.full((len(shown) * step + _GAP, width * step + _GAP, 3), 255, np.uint8)
    for i, row in enumerate(shown):
        for j, image in enumerate(row):
            picture = Image.fromarray(np.round(np.asarray(image) * 255).astype(np.uint8))
            tile = ImageOps.pad(picture, (_SIDES[0], _SIDES[0]), _SMOOTH, "white")
            top, left = _GAP + i * step, _GAP + j * step
            canvas[top : top + _SIDES[0], left : left + _SIDES[0]] = np.asarray(tile)
    columns = [str(j + 1) for j in range(width)]
    _write(draw(canvas, names[: len(shown)], columns, []), path)
    return len(tiles) - len(shown)


def draw(
    canvas: np.ndarray,
    names: Sequence[str],
    columns: Sequence[str],
    notes: Sequence[str],
) -> Image.Image:
    """Draw a canvas of tiles with a name for each row and column."""
    dpi, line = 100, 0.14  # inches of a line of text
    step = (canvas.shape[0] - _GAP) // len(names)
    heads = [wrap_label(arm, step // _LETTER) for arm in columns]
    names = [wrap_label(name, 230 // _LETTER) for name in names]
    corner = "\n".join(fill(note, 50) for note in notes)
    lines = max(text.count("\n") + 1 for text in (*heads, corner))
    left, top = 2.4, max(0.7, line * lines + 0.1)  # inches of labels
    height, width = canvas.shape[0] / dpi, canvas.shape[1] / dpi
    figure = Figure(figsize=(width + left, height + top), dpi=dpi)
    axes = figure.add_axes(
        (left / (width + left), 0, width / (width + left), height / (height + top))
    )
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    middle = (step + _GAP) / 2
    axes.set_yticks([i * step + middle for i in range(len(names))], names, parse_math=False)
    axes.xaxis.tick_top()
    axes.set_xticks([j * step + middle for j in range(len(heads))], heads, parse_math=False)
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    figure.text(0.05 / (width + left), 1 - 0.05 / (height + top), corner, fontsize=7, va="top")
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # matplotlib draws a box instead
        figure.savefig(drawn, format="png", facecolor="white")
    return Image.open(drawn).convert("RGB")
