"""The end of a sweep or run: the whole table, the contact sheet, and a summary to read."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from sweeps.sheet import arms, write_sheet
from sweeps.table import RESULTS, consolidate, holds_results

_SHOWN = ("score", "dot", "cosine", "orthogonal")


def finish(directory: Path) -> None:
    """Merge the parts, draw the sheet and print the summary and the paths."""
    if not holds_results(directory):
        return
    results = consolidate(directory)
    sheet = directory / "sheet.png"
    write_sheet(results, sheet)
    console = Console()
    console.print(_summary(results))
    for path in (directory / f"{RESULTS}.parquet", sheet):
        console.print(str(path), soft_wrap=True, highlight=False)


def _summary(results: pd.DataFrame) -> Table:
    """Jobs and mean metrics of the jobs that came through, by what differs between jobs."""
    shown = [name for name in _SHOWN if name in results]
    table = Table("", "jobs", "ok", *shown, title="means over the jobs that are ok")
    for arm, group in results.groupby(arms(results), sort=False):
        good = group[group["status"] == "ok"]
        means = [f"{good[name].mean():.3g}" if len(good) else "" for name in shown]
        table.add_row(str(arm) or "all", str(len(group)), str(len(good)), *means)
    return table
