"""`python -m sweeps.figure DIR OUT`: chosen pictures of a sweep, with metrics under each.

Rows and columns are those of the contact sheet, of the jobs that a pandas query keeps.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
from sweeps.results.table import METRICS, load

SUFFIXES = (".png", ".jpg", ".pdf", ".svg")
_MOST = 1000  # pictures
_LINE = 0.16  # inches of a line of text
_LETTER = 6  # pixels of a letter


def main(arguments: Sequence[str]) -> None:
    """Select the jobs, draw their images and write the figure."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.figure", description=__doc__)
    parser.add_argument("directory", type=Path, help="of a sweep, or a folder of sweeps")
    parser.add_argument("out", type=Path, help="the file: .png .jpg .pdf or .svg")
    parser.add_argument("--where", default="", help="a pandas query, 'objective == \"dot\"'")
    parser.add_argument("--captions", nargs="*", default=[], help="metrics to write under each")
    parser.add_argument("--pixels", type=int, default=128, help="side of a picture")
    chosen = parser.parse_args(arguments)
    checks.choice("suffix of the file", chosen.out.suffix, SUFFIXES)
    checks.count("pixels", chosen.pixels)
    table = load(chosen.directory)
    for metric in chosen.captions:
        checks.choice("caption", metric, (*METRICS, *own_metrics(table)))
    results = select(table, chosen.where)
    draw(results, chosen.captions, chosen.pixels).savefig(chosen.out, dpi=100, facecolor="white")
    print(chosen.out)


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
        axis.imshow(tile(job["image"], job["status"], pixels))
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


def _show_frame(axis: Axes, caption: str) -> None:
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_xlabel(caption, fontsize=7, labelpad=2)


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
