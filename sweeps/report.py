"""`python -m sweeps.report DIR`: one HTML file in which a sweep's pictures and numbers are seen.

The page works offline, from the disk: pictures beside each other by any setting, curves, metrics
and what they mean, comparisons with intervals, blind judging, and each picture's command.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.console import Console

from fvjax import checks
from sweeps.analysis.comparison import compare
from sweeps.analysis.inference import holm
from sweeps.analysis.pairing import arm_names
from sweeps.config.errors import EXPECTED, run_cli
from sweeps.config.paths import CONF
from sweeps.config.remake import Remake, command
from sweeps.results.report.build import write_page
from sweeps.results.report.columns import cell, compared_columns, metrics_of, table_columns
from sweeps.results.report.curves import encode_curves
from sweeps.results.report.frames import encode_snapshots
from sweeps.results.report.pictures import can_link, embed_pictures, link_pictures
from sweeps.results.report.preferred_metrics import MOST_METRICS, preferred_metrics
from sweeps.results.report.references import reference_pictures
from sweeps.results.report.several import job_names, read_sweeps, tell_apart
from sweeps.results.snapshots import SNAPSHOTS
from sweeps.storage.location import Location, locate

NAME = "report.html"
_BATCH_SIZE = "batch_size"
_PICTURES = ["image", SNAPSHOTS]
_ALL_BASELINES = 300, 8  # jobs and arms up to which every arm is a baseline too


def report(
    directories: Sequence[Location],
    output: Location | None = None,
    *,
    portable: bool = False,
    metrics: Sequence[str] | None = None,
    baseline: str | None = None,
) -> Location:
    """Write the report of one sweep or of several, and return its path.

    Args:
        directories: of sweeps, of runs, or folders of them.
        output: the HTML file; `report.html` in the first directory if None.
        portable: whether pictures are in the page, as lossy WebP, and not linked; so they are
            where no link leads from the page to them, as from a local page to a URL.
        metrics: that arms are compared by; at most five, the optimized one first, if None.
        baseline: the arm that others are compared with; if None the first, and of a sweep of at
            most 300 jobs and 8 arms every arm in turn.

    Raises:
        ValueError: a directory without results; an unknown metric or baseline; a page that cannot
            be written.
    """
    results, history, owners = read_sweeps(directories)
    page = output or directories[0] / NAME
    portable = portable or not can_link(owners, page)
    for metric in metrics or ():
        checks.choice("metric", metric, metrics_of(results))
    jobs, settings = job_names(results), results.drop(columns=_PICTURES, errors="ignore")
    rows = tell_apart(settings)

    def addresses(images: Sequence[Any]) -> list[str | None]:
        return embed_pictures(images) if portable else link_pictures(images, owners, page)

    wanted = preferred_metrics(rows) if metrics is None else list(dict.fromkeys(metrics))
    data: dict[str, Any] = {"title": " + ".join(one.resolve().name for one in directories)}
    data |= table_columns(rows)
    data |= {
        "embedded": portable,
        "images": addresses(results["image"].tolist()),
        "snapshots": encode_snapshots(results, addresses),
        "history": encode_curves(history, {job: place for place, job in enumerate(jobs)}),
        "compare": _comparisons(rows, wanted, baseline),
        "commands": _commands(settings),
        "references": reference_pictures(owners, jobs, page, portable),
    }
    try:
        write_page(data, page)
    except OSError as error:
        raise ValueError(f"cannot write {page}: {error.strerror or error}") from error
    return page


def _comparisons(
    rows: pd.DataFrame, metrics: Sequence[str], baseline: str | None
) -> dict[str, Any]:
    """Compare every arm with the baseline; in a small sweep, with each other arm too."""
    by = compared_columns(rows)
    arms = list(dict.fromkeys(arm_names(rows, by).dropna())) if by else []
    comparisons: dict[str, Any] = {"by": by, "metrics": metrics, "baselines": [], "rows": []}
    if len(arms) < 2 or not metrics:
        alone = "There is a single arm: nothing differs between jobs but directions and seeds."
        return comparisons | {"error": alone}
    jobs, most = _ALL_BASELINES
    every = baseline is None and len(rows) <= jobs and len(arms) <= most
    for one in arms if every else [baseline or arms[0]]:
        try:
            table = compare(rows, by, metrics, one)
        except ValueError as error:
            if baseline is not None:
                raise
            comparisons["error"] = str(error)
            continue
        # The correction is for the rows of one metric, as in `compare --metric`. A correction for
        # all rows of the page would leave no difference significant.
        p = table.groupby("metric")["p"].transform(lambda values: holm(values.tolist()))
        lines = table.assign(p_holm=p).to_dict("records")
        comparisons["baselines"].append(one)
        comparisons["rows"] += [{str(k): cell(v) for k, v in line.items()} for line in lines]
    return comparisons


def _commands(rows: pd.DataFrame) -> list[list[str] | None]:
    """Return each job's command for its picture and for the same bits; None if it has none."""
    remake = Remake()
    commands: list[list[str] | None] = []
    for record in rows.to_dict("records"):
        row = {str(k): v for k, v in record.items()}
        try:
            overrides = remake.overrides(row)
        except EXPECTED:  # an option of the user's own, which is not here
            commands.append(None)
            continue
        size = row.get(_BATCH_SIZE) or 0
        same_bits = f"hydra.launcher.{_BATCH_SIZE}={int(size)}" if size > 0 else ""
        lines = [command(overrides), command(overrides, same_bits)]
        commands.append(list(dict.fromkeys(lines)))
    return commands


def main(arguments: Sequence[str]) -> None:
    """Write the report and say where it is."""
    parser = argparse.ArgumentParser(
        prog="python -m sweeps.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m sweeps.report multirun/2026-11-26/10-30-00-123456 --portable",
    )
    add = parser.add_argument
    add("directory", nargs="+", type=locate, help="of a sweep or a run, or a folder of them")
    add("--portable", action="store_true", help="pictures in the page (lossy): one file to mail")
    add(
        *("--metrics", "--metric"),
        nargs="+",
        help=f"columns that arms are compared by; {MOST_METRICS} if not given",
    )
    add("--baseline", help="the arm that others are compared with; the first if not given")
    add("--output", type=locate, help=f"the HTML file; {NAME} in the first DIR if not given")
    chosen = parser.parse_args(arguments)
    page = report(
        chosen.directory,
        chosen.output,
        portable=chosen.portable,
        metrics=chosen.metrics,
        baseline=chosen.baseline,
    )
    size = f"{page.stat().st_size / 1e6:.1f} MB"
    Console().print(f"{page} ({size})", soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
