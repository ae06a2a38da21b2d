"""A printable table of numbers."""

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text


def number_table(rows: pd.DataFrame, title: str) -> Table:
    """Return a printable table with three digits; missing numbers are empty cells."""
    table = Table(*rows.columns, title=title, box=SIMPLE, pad_edge=False)
    for row in rows.itertuples(index=False):
        cells = ["" if pd.isna(v) else f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
        table.add_row(*map(Text, cells))
    return table
