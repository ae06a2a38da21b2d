"""A printable table of numbers."""

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text


def short(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits; nothing for a missing one."""
    return "" if pd.isna(value) else f"{value:.{digits}g}"


def number_table(rows: pd.DataFrame, title: str) -> Table:
    """Return a printable table with three digits; missing numbers are empty cells."""
    table = Table(*rows.columns, title=title, box=SIMPLE, pad_edge=False)
    for row in rows.itertuples(index=False):
        cells = [short(v) if pd.isna(v) or isinstance(v, float) else str(v) for v in row]
        table.add_row(*map(Text, cells))
    return table
