"""Grids of small pictures with names, heads and captions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sweeps.results.indexed_canvas import EMPTY, LINE, MARKS, UNKNOWN, WHITE, Canvas, Palette, font
from sweeps.results.labels import wrap_label

GAP, _FRAME = 6, 3  # pixels between tiles, and of the frame around a marked tile
_LABEL, _LETTER = 230, 7  # pixels of the widest label beside a row, and of a common letter


@dataclass(frozen=True)
class Tile:
    """A picture (height, width, 3) of bytes, its job's status and its caption."""

    pixels: np.ndarray
    status: str = "ok"
    caption: str = ""


@dataclass(frozen=True)
class Block:
    """A grid: the tiles of a cell are side by side; None stands for a job that was not run."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[int, int], Sequence[Tile | None]]
    captions: bool = True

    @property
    def per_cell(self) -> int:
        """Return the number of tiles in the fullest cell."""
        return max(map(len, self.cells.values()), default=1)


def cross(status: str, side: int) -> np.ndarray:
    """Return what stands in the place of a picture that a job does not have, (side, side, 3)."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    eye = np.eye(side, dtype=bool)
    pixels[eye | eye[::-1]] = MARKS.get(status, UNKNOWN)
    return pixels


def draw(blocks: Sequence[Block], lines: Sequence[str], side: int) -> Image.Image:
    """Draw grids one below the other, with lines of text above.

    Args:
        blocks: the grids.
        lines: the title; long lines are wrapped.
        side: pixels of each tile.
    """
    tiles = [tile for b in blocks for cell in b.cells.values() for tile in cell if tile is not None]
    label = max((_width(_label(row)) for block in blocks for row in block.rows), default=0)
    left = label + 2 * GAP
    width = left + max((_grid_width(block, side) for block in blocks), default=0)
    letters = max(width - 2 * GAP, 40 * _LETTER) // _LETTER
    text = "\n".join(wrap_label(line, letters) for line in lines)
    width = max(width, _width(text) + 2 * GAP)
    head = _height(text) + GAP
    height = head + sum(_block_height(block, side) for block in blocks)
    canvas = Canvas(math.ceil(width), math.ceil(height), Palette([tile.pixels for tile in tiles]))
    canvas.write(GAP, GAP, text)
    top = head
    for block in blocks:
        _draw_block(canvas, block, math.ceil(left), top, side)
        top += _block_height(block, side)
    return canvas.image()


def _draw_block(canvas: Canvas, block: Block, left: int, top: int, side: int) -> None:
    if block.title:
        canvas.write(GAP, top + GAP, block.title)
    grid = top + _head_height(block, side)
    cell = _cell_width(block, side)
    for j, name in enumerate(block.columns):
        middle = left + j * cell + (cell - 2 * GAP) / 2
        head = _head(name, block, side)
        canvas.write(middle, grid - GAP - _height(head), head, "ma")
    for i, name in enumerate(block.rows):
        row = grid + i * _row_height(block, side)
        shown = _label(name)
        canvas.write(left - GAP, row + (side - _height(shown)) / 2, shown, "ra")
        for j in range(len(block.columns)):
            for k, tile in enumerate(block.cells.get((i, j), [None] * block.per_cell)):
                _draw_tile(canvas, tile, left + j * cell + k * (side + GAP), row, side)


def _draw_tile(canvas: Canvas, tile: Tile | None, left: int, top: int, side: int) -> None:
    if tile is None:
        canvas.fill(left, top, side, EMPTY)
        canvas.write(left + side / 2, top + side / 2, "not run", "mm")
        return
    if tile.status != "ok":
        colour = MARKS.get(tile.status, UNKNOWN)
        canvas.fill(left - _FRAME, top - _FRAME, side + 2 * _FRAME, colour)
    canvas.write(left + side / 2, top + side + _FRAME, tile.caption, "ma")
    canvas.fill(left, top, side, WHITE)
    factor = max(1, side // max(tile.pixels.shape[:2]))
    places = canvas.palette.places(tile.pixels)
    places = places.repeat(factor, 0).repeat(factor, 1)[:side, :side]  # larger square pixels
    height, width = places.shape
    top, left = top + (side - height) // 2, left + (side - width) // 2
    canvas.places[top : top + height, left : left + width] = places


def _label(name: str) -> str:
    return wrap_label(name, _LABEL // _LETTER)


def _head(name: str, block: Block, side: int) -> str:
    return wrap_label(name, max(_cell_width(block, side) - 2 * GAP, side) // _LETTER)


def _cell_width(block: Block, side: int) -> int:
    return block.per_cell * (side + GAP) + GAP


def _grid_width(block: Block, side: int) -> int:
    return len(block.columns) * _cell_width(block, side)


def _row_height(block: Block, side: int) -> int:
    return side + GAP + (LINE if block.captions else 0)


def _head_height(block: Block, side: int) -> int:
    heads = max((_height(_head(name, block, side)) for name in block.columns), default=0)
    return (_height(block.title) + 2 * GAP if block.title else GAP) + heads + GAP


def _block_height(block: Block, side: int) -> int:
    return _head_height(block, side) + len(block.rows) * _row_height(block, side)


def _height(text: str) -> int:
    return LINE * (text.count("\n") + 1) if text else 0


def _width(text: str) -> int:
    return math.ceil(max(font().getlength(line) for line in text.split("\n")))
