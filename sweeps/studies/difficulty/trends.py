"""What changes as a task gets harder: means at each level, and slopes, over trained networks.

A *line* is a series of networks that differ in their task alone: they begin with the same weights
and see the same images. Lines are the clusters: units are averaged inside a network, and intervals
cover other lines (seeds), not only other units.
"""

import numpy as np
import pandas as pd

from sweeps.analysis.inference import interval

LEVEL, LINE = "labels", "line"
KEYS = ["measure", "layer", "objective"]  # what is measured where, on pictures of which objective


def levels(values: pd.DataFrame) -> pd.DataFrame:
    """A row for each measure, layer, objective and level.

    Args:
        values: of single units; columns `measure layer objective labels line value`. Null values
            do not count.

    Returns:
        `KEYS`, `labels`; `mean` over lines, with its 95 % interval `low high` (null for fewer than
        four lines); `lines`, `units`, those that have a value.
    """
    found = []
    for keys, mine in _by_line(values).groupby([*KEYS, LEVEL], sort=False):
        mean, low, high = interval(mine["value"].to_numpy())
        row = dict(zip([*KEYS, LEVEL], keys, strict=True)) | {"mean": mean, "low": low}
        found.append(row | {"high": high, "lines": len(mine), "units": int(mine["units"].sum())})
    return pd.DataFrame(found)


def trends(values: pd.DataFrame) -> pd.DataFrame:
    """How a measure changes with each doubling of the labels, a row for each of `KEYS`.

    Returns:
        `KEYS`; `slope`, the mean over lines of each line's slope of least squares against
        log2(labels), with its 95 % interval `low high` over lines; `rising`, lines whose slope is
        positive, of `lines`. Networks that were told nothing, and lines of fewer than two levels,
        do not enter.
    """
    told = _by_line(values[values[LEVEL] > 0])
    found = []
    for keys, mine in told.groupby(KEYS, sort=False):
        slopes = []
        for _, line in mine.groupby(LINE, sort=False):
            if line[LEVEL].nunique() > 1:
                slopes.append(np.polyfit(np.log2(line[LEVEL]), line["value"], 1)[0])
        mean, low, high = interval(np.array(slopes))
        row = dict(zip(KEYS, keys, strict=True)) | {"slope": mean, "low": low, "high": high}
        rising = sum(slope > 0 for slope in slopes)
        found.append(row | {"rising": rising, "lines": len(slopes)})
    return pd.DataFrame(found)


def _by_line(values: pd.DataFrame) -> pd.DataFrame:
    """Means over the units of each network, and how many."""
    there = values[values["value"].notna()]
    grouped = there.groupby([*KEYS, LEVEL, LINE], sort=False)["value"]
    return grouped.agg(value="mean", units="count").reset_index()
