"""The end of a sweep or run: the whole table, the contact sheet, and a summary to read."""

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sweeps.results.contact_sheet import not_shown, write_sheet
from sweeps.results.labels import arm_labels, row_labels
from sweeps.results.table import RESULTS, consolidate, holds_results

# In 80 letters there is room for four numbers and for words of so many letters.
_WORD, _NUMBER, _NUMBERS = 24, len("-1.23e-05"), 4
_SHOWN = ("final_score", "dot", "cosine", "orthogonal")
_ROWS = 40  # of the summary; more are not read


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
    """Mean metrics of the jobs that are ok, the optimized_metric's among them, by what differs."""
    optimized = (
        results["metrics_optimized_metric"].dropna()
        if "metrics_optimized_metric" in results
        else ()
    )
    shown = [name for name in dict.fromkeys([*optimized, *_SHOWN]) if name in results][:_NUMBERS]
    named, good = arm_labels(results), results["status"] == "ok"
    words = [len(word) for arm in named.unique() for word in arm.split()]
    # Two arms cut short may look the same, and so may numbers.
    whole = Column(overflow="fold", min_width=min(_WORD, max(words, default=0)))
    least = {name: max(_NUMBER, len(name)) for name in optimized}  # what the sweep is about: whole
    numbers = [Column(n, overflow="fold", min_width=least.get(n, _NUMBER)) for n in shown]
    omitted = [] if good.all() else ["left out"]
    table = Table(whole, "jobs", *omitted, *numbers, title="means over the jobs that are ok")
    table.box, table.pad_edge, table.padding = SIMPLE, False, 0  # for 80 letters
    for arm in named.unique()[:_ROWS]:
        jobs = results[named == arm]
        others = jobs.loc[~good[jobs.index], "status"].value_counts()
        left_out = ", ".join(f"{count} {status}" for status, count in others.items())
        means = [jobs.loc[good[jobs.index], name].mean() for name in shown]
        cells = [f"{mean:.3g}" if pd.notna(mean) else "" for mean in means]
        count = [str(len(jobs)), *([left_out] if omitted else [])]
        table.add_row(Text(str(arm) or "all"), *count, *cells)
    averaged = row_labels(results)[good].groupby(named[good]).agg(frozenset)
    notes = ["not over the same directions and seeds in every row"] * (averaged.nunique() > 1)
    if (more := named.nunique() - _ROWS) > 0:
        notes.append(f"and {more} more: python -m sweeps.compare reads them all")
    table.caption = "; ".join(notes) or None
    return table
