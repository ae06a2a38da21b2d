"""The end of a sweep or run: the merged table, the contact sheet and a printed summary."""

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sweeps.results.contact_sheet import not_shown, write_sheet
from sweeps.results.labels import arm_labels, row_labels
from sweeps.results.parts import RESULTS, holds_results
from sweeps.results.table import consolidate

# A terminal of 80 columns holds four numbers and words of 24 letters.
_WORD, _NUMBER, _NUMBERS = 24, len("-1.23e-05"), 4
_SHOWN = ("final_score", "dot", "cosine", "orthogonal")
_ROWS = 40  # of the summary


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
    """Return the mean metrics of each arm's jobs that are ok, the optimized metric included."""
    optimized = (
        results["metrics_optimized_metric"].dropna()
        if "metrics_optimized_metric" in results
        else ()
    )
    shown = [name for name in dict.fromkeys([*optimized, *_SHOWN]) if name in results][:_NUMBERS]
    named, good = arm_labels(results), results["status"] == "ok"
    words = [len(word) for arm in named.unique() for word in arm.split()]
    # Arms and numbers fold instead of being cut, since two cut texts may look equal.
    arms = Column(overflow="fold", min_width=min(_WORD, max(words, default=0)))
    numbers = [Column(_heading(name), overflow="fold", min_width=_NUMBER) for name in shown]
    omitted = [] if good.all() else ["left out"]
    table = Table(arms, "jobs", *omitted, *numbers, title="means over the jobs that are ok")
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


def _heading(name: str) -> str:
    """Return a column's name, in two lines where one would be wider than its numbers."""
    first, _, rest = name.partition("_")
    return name if len(name) <= len("final_score") or not rest else f"{first}_\n{rest}"
