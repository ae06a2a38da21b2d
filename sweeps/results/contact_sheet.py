"""The contact sheet: rows are directions, columns are arms; a cell has all seeds side by side."""

import datetime
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from sweeps.results.flatten import flatten
from sweeps.results.labels import arm_labels, format_exact, natural_sort_key, row_labels
from sweeps.results.number_table import short
from sweeps.results.report.columns import optimized_metric
from sweeps.results.sheet_drawing import Block, Tile, cross, draw
from sweeps.results.snapshots import Cell
from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location

_SIDE, _MOST_SIDE = 128, 160  # pixels to which small pictures are enlarged, large ones shrunk
_MOST = 24, 60  # columns and rows on one sheet
_MOST_SEEDS = 6  # in one cell


def write_sheet(results: pd.DataFrame, path: Location, command: str = "") -> int:
    """Write the contact sheet of a table as PNG; return the number of jobs that it omits.

    Jobs that share no row and no column, such as those of two networks, make separate blocks.

    Args:
        results: what `sweeps.load` returns.
        path: the file.
        command: what made the table, for the title.
    """
    jobs = _placed(results)
    blocks, rows = [], _MOST[1]
    for block in _blocks(jobs):
        names = _row_names(block)[:rows]
        arms = list(dict.fromkeys(block["arm"]))[: _MOST[0]]
        kept = block[block["row"].isin(names) & block["arm"].isin(arms)]
        blocks.append(kept[kept["place"] < _MOST_SEEDS])
        rows -= len(names)
    blocks = [block for block in blocks if len(block)]
    hidden = len(results) - sum(map(len, blocks))
    metric, side = optimized_metric(results), _side(int(results["image_height"].max()))
    drawn = []
    for block in blocks:
        # What a whole block shares is said once, and each column says what differs in the block.
        title = _shared_words(block["arm"]) if len(blocks) > 1 else ""
        block = block.assign(arm=arm_labels(results.loc[block.index]))
        drawn.append(_grid(block, title, metric, side))
    lines = _title(results, jobs, metric, command) + ([not_shown(hidden)] if hidden else [])
    _write(draw(drawn, lines, side), path)
    return hidden


def _placed(results: pd.DataFrame) -> pd.DataFrame:
    """Add each job's row, arm and place among the seeds of its cell; drop what is there twice."""
    seeds = results["seed"] if "seed" in results else pd.Series(0, results.index)
    one_seed = results.assign(seed=0)
    jobs = results.assign(row=row_labels(one_seed), arm=arm_labels(results), of_seed=seeds)
    jobs = jobs.drop_duplicates(["row", "arm", "of_seed"])
    known = sorted(jobs["of_seed"].unique())
    return jobs.assign(place=jobs["of_seed"].map({seed: i for i, seed in enumerate(known)}))


def _title(
    results: pd.DataFrame, jobs: pd.DataFrame, metric: str | None, command: str
) -> list[str]:
    """Return what was run, and how the sheet is read."""
    said = [_distinct(results, "model"), _distinct(results, "steps", " steps")]
    said.append(f"{datetime.date.today():%Y-%m-%d}")
    lines = [", ".join(filter(None, said)), *([command] if command else [])]
    seeds = sorted(jobs["of_seed"].unique())[:_MOST_SEEDS]
    reading = [f"below each picture: {metric}"] if metric else []
    reading += [f"side by side: seeds {', '.join(map(str, seeds))}"] if len(seeds) > 1 else []
    return [*lines, *(["; ".join(reading)] if reading else [])]


def _distinct(results: pd.DataFrame, column: str, unit: str = "") -> str:
    values = results[column].dropna().unique().tolist() if column in results else []
    return ", ".join(format_exact(value) for value in values) + unit if len(values) else ""


def _side(pixels: int) -> int:
    """Return the side of a tile: a multiple of the pictures', so that their pixels are squares."""
    return min(pixels * max(1, _SIDE // pixels), _MOST_SIDE)


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


def _grid(jobs: pd.DataFrame, title: str, metric: str | None, side: int) -> Block:
    """Return a block of the sheet: the jobs' `row` by their `arm`, seeds by their `place`."""
    names, columns = _row_names(jobs), list(dict.fromkeys(jobs["arm"]))
    seeds = sorted(jobs["place"].unique())
    cells: dict[tuple[int, int], list[Tile | None]] = {
        (i, j): [None] * len(seeds) for i in range(len(names)) for j in range(len(columns))
    }
    values = jobs[metric] if metric else pd.Series(np.nan, jobs.index)
    told = zip(*(jobs[c] for c in ("row", "arm", "place", "image", "status")), values, strict=True)
    for row, arm, place, image, status, value in told:
        pixels = cross(status, side) if image is None else np.asarray(_at_most(image, side))
        number = short(value)
        caption = number if status == "ok" else f"{status} {number}".rstrip()
        cell = cells[names.index(row), columns.index(arm)]
        cell[seeds.index(place)] = Tile(pixels, status, caption)
    return Block(title, names, columns, cells)


def _write(picture: Image.Image, path: Location) -> None:
    with atomic_write(path) as partial:
        picture.save(partial, format="png", optimize=True)


def not_shown(hidden: int) -> str:
    """Return the note on the jobs that the sheet omits."""
    return f"{hidden} jobs not shown; all are in results.parquet"


def tile(image: Cell, side: int) -> np.ndarray:
    """Return a picture at a tile's size, (side, side, 3); small ones have larger square pixels."""
    picture = _at_most(image, side)
    return np.asarray(ImageOps.pad(picture, (side, side), Image.Resampling.NEAREST, "white"))


def _at_most(image: Cell, side: int) -> Image.Image:
    """Return a picture, shrunk if it is larger than a tile."""
    with Image.open(io.BytesIO(image["bytes"]), formats=["PNG"]) as picture:
        return _shrunk(flatten(picture), side)


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    fits = max(picture.size) <= side
    return picture if fits else ImageOps.contain(picture, (side, side), Image.Resampling.LANCZOS)


def write_tiles(tiles: Sequence[Sequence[np.ndarray]], names: Sequence[str], path: Location) -> int:
    """Write rows of images (height, width, 3) in [0, 1] as PNG; return how many rows it omits."""
    shown = tiles[: _MOST[1]]
    side = _side(max((max(image.shape[:2]) for row in shown for image in row), default=_SIDE))
    cells = {}
    for i, row in enumerate(shown):
        for j, image in enumerate(row):
            picture = Image.fromarray(np.round(np.asarray(image) * 255).astype(np.uint8))
            cells[i, j] = [Tile(np.asarray(_shrunk(picture, side)))]
    columns = [str(j + 1) for j in range(max(map(len, shown), default=0))]
    _write(draw([Block("", names[: len(shown)], columns, cells, captions=False)], [], side), path)
    return len(tiles) - len(shown)
