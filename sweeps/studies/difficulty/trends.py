"""Trends with the difficulty of a task: means at each level, and slopes, over trained networks.

A *line* is a series of networks that differ only in their task: they have the same initial weights
and training images. Lines are the clusters: units are averaged within a network, and intervals
cover the choice of the seed.
"""

import numpy as np
import pandas as pd

from sweeps.analysis.inference import interval

LEVEL, LINE = "labels", "line"
KEYS = ["measure", "layer", "objective"]  # measure, layer, and the objective of the measured images


def levels(values: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each measure, layer, objective and level.

    Args:
        values: values of single units; columns `measure layer objective labels line value`.
            Null values do not count.

    Returns:
        `KEYS`, `labels`; `mean` over lines, with its 95 % interval `low high` (null for fewer than
        four lines); `lines`, `units`, those that have a value.
    """
    table = []
    for keys, rows in _by_line(values).groupby([*KEYS, LEVEL], sort=False):
        mean, low, high = interval(rows["value"].to_numpy())
        row = dict(zip([*KEYS, LEVEL], keys, strict=True)) | {"mean": mean, "low": low}
        table.append(row | {"high": high, "lines": len(rows), "units": int(rows["units"].sum())})
    return pd.DataFrame(table)


def trends(values: pd.DataFrame) -> pd.DataFrame:
    """Return the change of each measure per doubling of the labels, a row for each of `KEYS`.

    Returns:
        `KEYS`; `slope`, the mean over lines of each line's slope of least squares against
        log2(labels), with its 95 % interval `low high` over lines; `rising`, lines whose slope is
        positive, of `lines`. Untrained networks and lines of fewer than two levels are left out.
    """
    trained = _by_line(values[values[LEVEL] > 0])
    table = []
    for keys, rows in trained.groupby(KEYS, sort=False):
        slopes = []
        for _, line in rows.groupby(LINE, sort=False):
            if line[LEVEL].nunique() > 1:
                slopes.append(np.polyfit(np.log2(line[LEVEL]), line["value"], 1)[0])
        mean, low, high = interval(np.array(slopes))
        row = dict(zip(KEYS, keys, strict=True)) | {"slope": mean, "low": low, "high": high}
        rising = sum(slope > 0 for slope in slopes)
        table.append(row | {"rising": rising, "lines": len(slopes)})
    return pd.DataFrame(table)


def _by_line(values: pd.DataFrame) -> pd.DataFrame:
    """Return means over the units of each network, with the number of units."""
    present = values[values["value"].notna()]
    grouped = present.groupby([*KEYS, LEVEL, LINE], sort=False)["value"]
    return grouped.agg(value="mean", units="count").reset_index()
