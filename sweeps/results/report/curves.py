"""Histories for a page: at most 64 points of a job, each series as 16-bit numbers and a range."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sweeps.results.report.columns import number

POINTS = 64  # of a curve that is some 600 pixels wide
_MOST = 65534  # of 16 bits; one more stands for what is not finite
_NO_SERIES = ("job", "step", "sweep")


def encode_curves(history: pd.DataFrame, places: Mapping[Any, int]) -> dict[str, Any]:
    """Return the histories of jobs, small enough for 5,000 jobs in one page.

    Args:
        history: what `sweeps.load_history` returns.
        places: of a job's number (of `(sweep, job)` where there is a column `sweep`), the place
            among the page's jobs.

    Returns:
        `series`: names. `steps`: lists of steps. `jobs`: for each place None, or the number of the
        job's list of steps, its series in base64 (16-bit little-endian, one series after another),
        and the lowest and highest value of each series.
    """
    jobs: list[list[Any] | None] = [None] * len(places)
    series = [c for c in history if c not in _NO_SERIES and history[c].notna().any()]
    empty = {"series": series, "steps": [], "jobs": jobs}
    if history.empty or not series:
        return empty
    place = _places(history, places)
    history, place = history[place >= 0], place[place >= 0]
    if history.empty:
        return empty
    order = np.lexsort((history["step"].to_numpy(), place))
    place, step = place[order], history["step"].to_numpy()[order]
    values = np.stack([history[c].to_numpy(float)[order] for c in series])
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    lengths = np.diff(np.r_[starts, len(place)])
    lists: dict[tuple[int, ...], int] = {}
    for length in np.unique(lengths):
        begun = starts[lengths == length]
        within = np.linspace(0, length - 1, min(POINTS, length)).round().astype(int)
        at = begun[:, None] + within  # jobs, points
        blocks, low, high = _sixteen_bits(values[:, at])
        for i, begin in enumerate(begun):
            steps = lists.setdefault(tuple(step[at[i]].tolist()), len(lists))
            text = base64.b64encode(blocks[:, i].tobytes()).decode()
            ranges = [[number(a), number(b)] for a, b in zip(low[:, i], high[:, i], strict=True)]
            jobs[place[begin]] = [steps, text, ranges]
    return {"series": series, "steps": [list(one) for one in lists], "jobs": jobs}


def _places(history: pd.DataFrame, places: Mapping[Any, int]) -> np.ndarray:
    """For every line of a history its job's place, or -1."""
    jobs = history["job"]
    if "sweep" not in history:
        return jobs.map(places).fillna(-1).to_numpy(int)
    pairs = pd.MultiIndex.from_arrays([history["sweep"], jobs])
    known = pd.MultiIndex.from_tuples(list(places))
    found = known.get_indexer(pairs)
    return np.where(found < 0, -1, np.array(list(places.values()))[found])


def _sixteen_bits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (series, jobs, points) scaled to their own range, and the ranges (series, jobs)."""
    good = np.isfinite(values)
    low = np.where(good, values, np.inf).min(-1)
    high = np.where(good, values, -np.inf).max(-1)
    nothing = ~good.any(-1)
    low, high = np.where(nothing, 0.0, low), np.where(nothing, 0.0, high)
    span = np.where(high > low, high - low, 1.0)
    scaled = (np.where(good, values, 0) - low[..., None]) / span[..., None] * _MOST
    return np.where(good, scaled.round(), _MOST + 1).astype("<u2"), low, high
