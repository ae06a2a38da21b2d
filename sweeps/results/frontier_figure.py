"""A figure of frontiers: the metric against the strength of every setting, a panel a condition."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location

_PANELS = 3  # in a row
_SIZE = (4.2, 3.4)  # inches of a panel


def draw_frontiers(
    settings: pd.DataFrame, table: pd.DataFrame, metric: str, path: Location
) -> None:
    """Draw every setting as a point, and the frontier of each family as a line.

    Args:
        settings: what `board.frontier` returns.
        table: what `board.board` returns; its points, the cross-fitted ones, are large.
        metric: the name of the vertical axis.
        path: the PNG file.
    """
    names = list(dict.fromkeys(settings["condition"]))
    columns = min(len(names), _PANELS)
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(_SIZE[0] * columns, _SIZE[1] * lines + 0.6), layout="constrained")
    axes = np.ravel(figure.subplots(lines, columns, sharey=True, squeeze=False))
    colours = {family: f"C{n % 10}" for n, family in enumerate(dict.fromkeys(settings["family"]))}
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes, names, strict=False):
        own = settings[settings["condition"] == name]
        judged = table[table["condition"] == name].set_index("family")
        for family, points in own.groupby("family", sort=False):
            _draw_family(axis, str(family), points, judged, colours[family])
        axis.set_title(name, fontsize=9, parse_math=False)
    for axis in axes[max(len(names) - columns, 0) : len(names)]:
        axis.set_xlabel("strength (mean over clusters)")
    for axis in axes[::columns]:
        axis.set_ylabel(metric)
    handles: dict[str, Artist] = {}
    for axis in axes[: len(names)]:
        lines_of, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, lines_of, strict=True))
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=2 * columns,
        fontsize=8,
    )
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _draw_family(
    axis: Axes, family: str, points: pd.DataFrame, judged: pd.DataFrame, colour: str
) -> None:
    axis.scatter(points["strength"], points["metric"], s=9, color=colour, alpha=0.5, linewidths=0)
    line = points[points["on_frontier"]].sort_values("strength")
    axis.plot(line["strength"], line["metric"], color=colour, linewidth=1.2, label=family)
    if family in judged.index:
        point = judged.loc[family]
        axis.scatter(point["strength"], point["metric"], s=45, color=colour, edgecolors="black")
