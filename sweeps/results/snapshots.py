"""The pictures of jobs after the steps of `snapshots`, as the table has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

SNAPSHOTS = "snapshot_images"
Cell = dict[str, Any]  # of a picture: its bytes and its path


def snapshot_steps(results: pd.DataFrame) -> list[int]:
    """Return the steps after which some job has a snapshot, in order."""
    return sorted({step for cell in _cells(results) for step in _by_step(cell)})


def pictures_at(results: pd.DataFrame, step: int) -> list[Cell | None]:
    """Return each job's picture after a step.

    A job that had ended by then has its final picture; a job without that snapshot has None.
    """
    ran = pd.to_numeric(results["steps_run"]) if "steps_run" in results else [np.nan] * len(results)
    rows = zip(_cells(results), results["image"], ran, strict=True)
    return [final if last <= step else _by_step(cell).get(step) for cell, final, last in rows]


def _cells(results: pd.DataFrame) -> Sequence[Any]:
    return results[SNAPSHOTS].tolist() if SNAPSHOTS in results else [None] * len(results)


def _by_step(cell: Any) -> dict[int, Cell]:
    """Return a job's snapshots by step; the cell is null for a job without snapshots."""
    snapshots = cell if isinstance(cell, list | np.ndarray) else []
    return {int(one["step"]): one for one in snapshots}
