"""The printed summary of a sweep: the mean metrics of each arm."""

import pandas as pd
from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from sweeps.results.labels import arm_labels, row_labels
from sweeps.results.number_table import short

# A terminal of 80 columns holds four numbers and words of 24 letters.
_WORD, _NUMBER, _NUMBERS = 24, len("-1.23e-05"), 4
_SHOWN = ("final_score", "dot", "cosine", "orthogonal")
_ROWS = 40  # of the summary


def summary(results: pd.DataFrame, best: pd.Series | None = None) -> Table:
    """Return the mean metrics of each arm's jobs that are ok, the optimized metric first.

    Args:
        results: what `sweeps.load` returns.
        best: whether each row belongs to the arm that is best by the optimized metric.
    """
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
        cells = list(map(short, means))
        if best is not None and cells and best[jobs.index].all():
            cells[0] = f"[bold]{cells[0]} best[/bold]"
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
