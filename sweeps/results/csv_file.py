"""Tables as CSV files beside the results."""

import pandas as pd

from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location


def write_csv(table: pd.DataFrame, path: Location) -> None:
    """Write a table without its index, atomically."""
    with atomic_write(path) as partial:
        table.to_csv(partial, index=False)
