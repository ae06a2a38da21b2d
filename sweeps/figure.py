"""`python -m sweeps.figure DIR OUT`: chosen pictures of a sweep, with metrics under each.

Rows and columns are those of the contact sheet, or of the columns that `--rows` and `--columns`
name, of the jobs that a pandas query keeps. With `--animate OUT` the snapshots of the jobs are an
animation.
"""

import argparse
import io
import sys
from collections.abc import Sequence

import pandas as pd
from PIL import Image

from fvjax import checks
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.labels import own_metrics
from sweeps.results.picture_grid import draw_grid
from sweeps.results.snapshots import pictures_at, snapshot_steps
from sweeps.results.table import METRICS, load
from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import locate

SUFFIXES = (".png", ".jpg", ".pdf", ".svg")
ANIMATED = (".webp", ".gif")
_DPI = 100
_FRAME, _LAST_FRAME = 500, 2000  # milliseconds
_MOST = 1000  # pictures


def main(arguments: Sequence[str]) -> None:
    """Select the jobs, draw their images and write the figure."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.figure", description=__doc__)
    parser.add_argument("directory", type=locate, help="of a sweep, or a folder of sweeps")
    parser.add_argument("out", type=locate, nargs="?", help="the file: .png .jpg .pdf or .svg")
    parser.add_argument(
        "--animate",
        type=locate,
        metavar="FILE",
        help="an animation of the snapshots: .webp or .gif",
    )
    parser.add_argument("--where", default="", help="a pandas query, 'objective == \"dot\"'")
    parser.add_argument("--rows", nargs="*", default=[], help="columns of the table, for the rows")
    parser.add_argument("--columns", nargs="*", default=[], help="the same for the columns")
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
        figure = draw_grid(results, chosen.captions, chosen.pixels, chosen.rows, chosen.columns)
        with atomic_write(chosen.out) as partial:
            figure.savefig(partial, format=chosen.out.suffix[1:], dpi=_DPI, facecolor="white")
        print(chosen.out)
    if chosen.animate is not None:
        animate(results, chosen)
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


def animate(results: pd.DataFrame, chosen: argparse.Namespace) -> None:
    """Write an animation: a frame for each snapshot, and the final images for longer.

    Args:
        results: the jobs.
        chosen: the command's arguments; captions are metrics of the final images.

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
        shown = results.assign(image=pd.Series(cells, results.index))
        figure = draw_grid(shown, chosen.captions, chosen.pixels, chosen.rows, chosen.columns)
        figure.suptitle(name, fontsize=9)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
        frames.append(Image.open(buffer).convert("RGB"))
    durations = [_FRAME] * (len(frames) - 1) + [_LAST_FRAME]
    options = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    with atomic_write(chosen.animate) as partial:
        frames[0].save(partial, format=chosen.animate.suffix[1:], **options)


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
