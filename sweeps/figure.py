"""`python -m sweeps.figure DIR OUT`: chosen pictures of a sweep, with metrics under each.

Rows and columns are those of the contact sheet, of the jobs that a pandas query keeps. With
`--animate OUT` the snapshots of the jobs are an animation.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from fvjax import checks
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.contact_sheet import tile
from sweeps.results.labels import (
    arm_labels,
    natural_sort_key,
    own_metrics,
    row_labels,
    wrap_label,
)
from sweeps.results.sheet_drawing import cross
from sweeps.results.snapshots import pictures_at, snapshot_steps
from sweeps.results.table import METRICS, load

SUFFIXES = (".png", ".jpg", ".pdf", ".svg")
ANIMATED = (".webp", ".gif")
_DPI = 100
_FRAME, _LAST_FRAME = 500, 2000  # milliseconds
_MOST = 1000  # pictures
_LINE = 0.16  # inches of a line of text
_LETTER = 6  # pixels of a letter


def main(arguments: Sequence[str]) -> None:
    """Select the jobs, draw their images and write the figure."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.figure", description=__doc__)
    parser.add_argument("directory", type=Path, help="of a sweep, or a folder of sweeps")
    parser.add_argument("out", type=Path, nargs="?", help="the file: .png .jpg .pdf or .svg")
    parser.add_argument(
        "--animate", type=Path, metavar="FILE", help="an animation of the snapshots: .webp or .gif"
    )
    parser.add_argument("--where", default="", help="a pandas query, 'objective == \"dot\"'")
    parser.add_argument("--captions", nargs="*", default=[], help="metrics to write under each")
    parser.add_argument("--pixels", type=int, default=128, help="side of a picture")
    chosen = parser.parse_args(arguments)
    if chosen.out is None and chosen.animate is None:
        raise ValueError("name a file for the figure, or --animate FILE")
    for path, suffixes in ((chosen.out, SUFFIXES), (chosen.animate, ANIMATED)):
        if path is not None:
            checks.choice("suffix of the file", path.suffix, suffixes)
    checks.count("pixels", chosen.pixels)
    table = load(chosen.directory)
    for metric in chosen.captions:
        checks.choice("caption", metric, (*METRICS, *own_metrics(table)))
    results = select(table, chosen.where)
    if chosen.out is not None:
        figure = draw(results, chosen.captions, chosen.pixels)
        figure.savefig(chosen.out, dpi=_DPI, facecolor="white")
        print(chosen.out)
    if chosen.animate is not None:
        animate(results, chosen.animate, chosen.captions, chosen.pixels)
        print(chosen.animate)


def select(results: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the jobs that a query selects; all jobs if the query is empty.

    Raises:
        ValueError: pandas cannot read the query, or the query selects no job or too many jobs.
    """
    try:
        chosen = results.query(where) if where else results
    except Exception as error:  # pandas and its parser raise many types
        raise ValueError(f"cannot read --where {where!r}: {error}") from error
    if not 0 < len(chosen) <= _MOST:
        raise ValueError(
            f"--where {where!r} keeps {len(chosen)} of {len(results)} jobs: keep 1 to {_MOST}"
        )
    return chosen


def draw(results: pd.DataFrame, captions: Sequence[str], pixels: int) -> Figure:
    """Draw the jobs' images: rows are directions and seeds, columns are the arms."""
    jobs = results.assign(row=row_labels(results), arm=arm_labels(results))
    jobs = jobs.drop_duplicates(["row", "arm"])
    names, columns = (
        sorted(set(jobs["row"]), key=natural_sort_key),
        list(dict.fromkeys(jobs["arm"])),
    )
    width, height = pixels / 100, pixels / 100 + _LINE * len(captions)
    figure = Figure(
        figsize=(1.05 * width * (len(columns) + 1), (height + 0.1) * len(names) + 0.6),
        layout="constrained",
    )
    axes = figure.subplots(len(names), len(columns), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for job in jobs.to_dict("records"):
        axis = axes[names.index(job["row"])][columns.index(job["arm"])]
        image, status = job["image"], job["status"]
        axis.imshow(cross(status, pixels) if image is None else tile(image, pixels))
        lines = [f"{name} {job[name]:.3g}" for name in captions if pd.notna(job[name])]
        _show_frame(axis, "\n".join(lines))
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(wrap_label(name, pixels // _LETTER), fontsize=8, parse_math=False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.text(
            *(-0.08, 0.5, wrap_label(name, pixels // _LETTER)),
            transform=axis.transAxes,
            fontsize=8,
            horizontalalignment="right",
            verticalalignment="center",
            parse_math=False,
        )
    return figure


def animate(results: pd.DataFrame, path: Path, captions: Sequence[str], pixels: int) -> None:
    """Write an animation: a frame for each snapshot, and the final images for longer.

    Args:
        results: the jobs.
        path: the file, .webp or .gif.
        captions: metrics of the final images.
        pixels: the side of a picture.

    Raises:
        ValueError: no job has snapshots, or a job lacks a snapshot that another one has.
    """
    steps = snapshot_steps(results)
    if not steps:
        raise ValueError(
            "no job has snapshots to animate: run the sweep with, for example, snapshots=[16,64]"
        )
    pictures = [(f"step {step}", pictures_at(results, step)) for step in steps]
    for name, cells in pictures:
        pairs = zip(results["job"], results["image"], cells, strict=True)
        lacking = [job for job, final, cell in pairs if cell is None and final is not None]
        if lacking:
            raise ValueError(
                f"job {lacking[0]} has no snapshot at {name}, which other jobs have: choose jobs "
                "of equal snapshots with --where"
            )
    frames = []
    for name, cells in [*pictures, ("final", results["image"].tolist())]:
        figure = draw(results.assign(image=pd.Series(cells, results.index)), captions, pixels)
        figure.suptitle(name, fontsize=9)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
        frames.append(Image.open(buffer).convert("RGB"))
    durations = [_FRAME] * (len(frames) - 1) + [_LAST_FRAME]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _show_frame(axis: Axes, caption: str) -> None:
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_xlabel(caption, fontsize=7, labelpad=2)


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
