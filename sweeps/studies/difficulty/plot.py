"""The figure of the difficulty study: units and pictures against the difficulty of the task."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location
from sweeps.studies.difficulty.trends import LEVEL, LINE

_UNITS = {
    "selectivity": "selectivity index (1: one label)",
    "effective labels": "effective labels",
    "effective attributes": "effective attributes (1: one, of 3)",
    "explained": "variance that labels explain",
    "precision": "best images with the preferred label",
}
_CHANCE = 1 / 8  # an attribute has eight labels


def draw(values: pd.DataFrame, table: pd.DataFrame, path: Location) -> None:
    """Draw measures of units in the upper row, and measures of images in the lower row.

    Thick lines are means over networks. Four or more lines (seeds) have 95 % bands. Thin lines are
    single seeds.
    """
    layers = [x for x in dict.fromkeys(table["layer"]) if x != "logits"]
    columns = max(len(_UNITS), len(layers) + 1)
    figure = Figure(figsize=(3.4 * columns, 6.6), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (measure, title) in zip(axes[0], _UNITS.items(), strict=False):
        _panel(axis, values, table, {"measure": measure}, "layer", title)
    for axis, layer in zip(axes[1], layers, strict=False):
        chosen = {"measure": "transfer", "layer": layer}
        _panel(axis, values, table, chosen, "objective", f"transfer of pictures, {layer}")
        axis.axhline(_CHANCE, color="grey", linewidth=0.8, linestyle=":")
        axis.set_ylim(0, 1)
    _panel(axes[1][-1], values, table, {"measure": "accuracy"}, "layer", "accuracy of the task")
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def _panel(
    axis: Axes,
    values: pd.DataFrame,
    table: pd.DataFrame,
    chosen: dict[str, Any],
    by: str,
    title: str,
) -> None:
    """Draw one measure against the number of labels, in a colour for each value of `by`."""
    order = sorted(table[LEVEL].unique())
    axis.set_axis_on()
    axis.set_title(title, fontsize=10)
    axis.set_xticks(range(len(order)), [str(n) if n else "untrained" for n in order])
    axis.set_xlabel("labels told apart")
    means, single = (_where(frame, chosen) for frame in (table, values))
    for place, (name, rows) in enumerate(means.groupby(by, sort=False)):
        colour = f"C{place}"
        rows = rows.sort_values(LEVEL)
        x = np.searchsorted(order, rows[LEVEL])
        axis.plot(x, rows["mean"], marker="o", markersize=4, color=colour, label=str(name))
        axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)
        lines = single[single[by] == name].groupby([LINE, LEVEL])["value"].mean().reset_index()
        for _, line in lines.groupby(LINE):
            axis.plot(
                np.searchsorted(order, line[LEVEL]), line["value"], color=colour, alpha=0.3, lw=0.7
            )
    if len(means):
        axis.legend(fontsize=7)


def _where(frame: pd.DataFrame, chosen: dict[str, Any]) -> pd.DataFrame:
    for column, value in chosen.items():
        frame = frame[frame[column] == value]
    return frame
