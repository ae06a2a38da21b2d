"""A figure of jobs' pictures in rows and columns, with text under each."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fvjax import checks
from sweeps.results.contact_sheet import tile
from sweeps.results.labels import (
    arm_labels,
    column_labels,
    join,
    natural_sort_key,
    row_labels,
    wrap_label,
)
from sweeps.results.sheet_drawing import cross

_LINE, _GAP = 0.13, 0.1  # inches of a line of text, and between rows
_LETTER, _HEAD = 6, 7  # pixels of a letter below a picture, and of one in a name
_NAME = 18  # letters in a line of a row's name, at least
_DPI = 100


class Drawing(Figure):
    """A figure that a notebook shows, whether pyplot is imported or not."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
        return buffer.getvalue()


def draw_grid(
    results: pd.DataFrame,
    captions: Sequence[str] = (),
    pixels: int = 128,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Drawing:
    """Draw the jobs' images in rows and columns.

    Args:
        results: the jobs.
        captions: metrics to write under each.
        pixels: the side of a picture.
        rows: columns of the table whose values name the rows; directions and seeds if empty.
        columns: columns of the table whose values name the columns; the arms if empty.

    Raises:
        ValueError: an unknown column; two jobs in one cell of the rows and columns given.
    """
    across = column_labels(results, columns) if columns else arm_labels(results)
    down = column_labels(results, rows) if rows else row_labels(results)
    jobs = results.assign(row=down, arm=across)
    shared = jobs.duplicated(["row", "arm"])
    if (rows or columns) and shared.any():
        first = jobs[shared].iloc[0]
        raise ValueError(
            f"{1 + int(shared.sum())} or more jobs share a cell, such as row {first['row']!r}, "
            f"column {first['arm']!r}: name more columns of the table, or select jobs"
        )
    jobs = jobs[~shared].assign(text=_texts(jobs[~shared], captions))
    names = sorted(set(jobs["row"]), key=natural_sort_key)
    heads = list(dict.fromkeys(jobs["arm"]))
    if columns:
        heads.sort(key=natural_sort_key)
    return _draw(jobs, names, heads, pixels)


def draw_images(
    results: pd.DataFrame, captions: Sequence[str] = (), pixels: int = 128, columns: int = 8
) -> Drawing:
    """Draw all images in the order of the table, each with its label, its arm and metrics.

    Args:
        results: the jobs.
        captions: metrics to write under each.
        pixels: the side of a picture.
        columns: pictures in a row, at most.
    """
    checks.count("columns", columns)
    width = min(columns, len(results))
    places = np.arange(len(results))
    label = join([row_labels(results), arm_labels(results)])
    wrapped = [wrap_label(text, pixels // _LETTER) for text in label]
    metrics = _texts(results, captions)
    jobs = results.assign(
        row=[f"{place}" for place in places // width],
        arm=[f"{place}" for place in places % width],
        text=["\n".join(filter(None, both)) for both in zip(wrapped, metrics, strict=True)],
    )
    names, heads = (list(dict.fromkeys(jobs[name])) for name in ("row", "arm"))
    return _draw(jobs, names, heads, pixels, named=False)


def _texts(jobs: pd.DataFrame, captions: Sequence[str]) -> list[str]:
    for name in captions:
        checks.choice("caption", name, [c for c in jobs if pd.api.types.is_numeric_dtype(jobs[c])])
    return [
        "\n".join(f"{name} {job[name]:.3g}" for name in captions if pd.notna(job[name]))
        for job in jobs[list(captions)].to_dict("records")
    ] or [""] * len(jobs)


def _draw(
    jobs: pd.DataFrame, names: list[str], heads: list[str], pixels: int, named: bool = True
) -> Drawing:
    """Draw jobs at their `row` and `arm` with their `text`; `named` writes rows and columns."""
    side = pixels / _DPI
    lines = jobs["text"].map(lambda text: text.count("\n") + 1 if text else 0)
    of_rows = lines.groupby(jobs["row"]).max()
    heights = [side + _LINE * int(of_rows[name]) + _GAP for name in names]
    letters = max(pixels // _HEAD, _NAME)
    beside = min(letters, max(map(len, names))) * _HEAD / _DPI if named else 0
    figure = Drawing(
        figsize=(1.05 * side * len(heads) + beside, sum(heights) + 0.6 * named),
        layout="constrained",
    )
    axes = figure.subplots(len(names), len(heads), squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.set_axis_off()
        axis.set_box_aspect(1)
        axis.set_anchor("N")
    for job in jobs.to_dict("records"):
        axis = axes[names.index(job["row"])][heads.index(job["arm"])]
        image, status = job["image"], job["status"]
        axis.imshow(cross(status, pixels) if image is None else tile(image, pixels))
        _show_frame(axis, job["text"])
    if named:
        _name(axes, [wrap_label(n, letters) for n in names], heads, pixels // _HEAD)
    return figure


def _name(axes: Any, names: list[str], heads: list[str], letters: int) -> None:
    for axis, name in zip(axes[0], heads, strict=True):
        axis.set_title(wrap_label(name, letters), fontsize=8, parse_math=False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.text(
            *(-0.08, 0.5, name),
            transform=axis.transAxes,
            fontsize=8,
            horizontalalignment="right",
            verticalalignment="center",
            parse_math=False,
        )


def _show_frame(axis: Axes, caption: str) -> None:
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_xlabel(caption, fontsize=7, labelpad=2, parse_math=False)
