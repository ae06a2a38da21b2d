"""The snapshots of jobs in a page: an address for each job and step."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from sweeps.results.report.pictures import Cell
from sweeps.results.snapshots import pictures_at, snapshot_steps

Addresses = Callable[[Sequence[Cell | None]], list[str | None]]
_FINAL = 0  # in place of an address: the final picture's


def encode_snapshots(results: pd.DataFrame, addresses: Addresses) -> dict[str, Any] | None:
    """Return the snapshots of all jobs; None if no job has any.

    Args:
        results: the table, with the columns of pictures.
        addresses: returns the addresses of pictures, one for each job.

    Returns:
        `steps`, and `images`: for each step the address of each job's picture, 0 if it is the
        final one, null if there is none.
    """
    steps = snapshot_steps(results)
    if not steps:
        return None
    finals, images = results["image"].tolist(), []
    for step in steps:
        cells = pictures_at(results, step)
        pairs = zip(cells, finals, strict=True)
        ended = [cell is final and cell is not None for cell, final in pairs]
        told = addresses([None if same else cell for cell, same in zip(cells, ended, strict=True)])
        images.append([_FINAL if same else one for one, same in zip(told, ended, strict=True)])
    return {"steps": steps, "images": images}
