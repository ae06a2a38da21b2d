"""The end of a sweep or run: the whole table, the contact sheet, and a summary to read."""

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sweeps.sheet import arms, not_shown, write_sheet
from sweeps.table import RESULTS, consolidate, holds_results

_SHOWN = ("score", "dot", "cosine", "orthogonal")


def finish(directory: Path) -> None:
    """Merge the parts, draw the sheet and print the summary and the paths."""
    if not holds_results(directory):
        return
    results = consolidate(directory)
    sheet = directory / "sheet.png"
    hidden = write_sheet(results, sheet)
    console = Console()
    console.print(summary(results))
    for path in (directory / f"{RESULTS}.parquet", sheet):
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)
    if hidden:
        console.print(not_shown(hidden), highlight=False)


def summary(results: pd.DataFrame) -> Table:
    """Mean metrics of the jobs that are ok, the headline's among them, by what differs."""
    headlines = results["metrics_headline"].dropna() if "metrics_headline" in results else ()
    shown = [name for name in dict.fromkeys([*_SHOWN, *headlines]) if name in results]
    whole = Column(overflow="fold")  # two arms cut short may look the same
    table = Table(whole, "jobs", "left out", *shown, title="means over the jobs that are ok")
    table.box, table.pad_edge = SIMPLE, False  # room for the arms in 80 letters
    for arm, jobs in results.groupby(arms(results), sort=False):
        good = jobs[jobs["status"] == "ok"]
        others = jobs["status"].drop(good.index).value_counts()
        left_out = ", ".join(f"{count} {status}" for status, count in others.items())
        means = [f"{m:.3g}" if pd.notna(m) else "" for m in (good[name].mean() for name in shown)]
        table.add_row(Text(str(arm) or "all"), str(len(jobs)), left_out, *means)
    return table
