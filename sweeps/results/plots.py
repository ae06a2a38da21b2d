"""Figures of numbers: curves of the ascent, metrics against each other, differences of arms."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from PIL import Image

from fvjax import checks
from sweeps.results.flatten import flatten
from sweeps.results.labels import arm_labels, column_labels
from sweeps.results.picture_grid import Drawing

# Okabe and Ito's colours, told apart by colour-blind people too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_SIZE = (6.4, 4.0)  # inches
_MOST_PICTURES = 400
_LEVEL = 0.05


def draw_curves(
    results: pd.DataFrame, history: pd.DataFrame, quantity: str, by: Sequence[str] = ()
) -> Drawing:
    """Draw a quantity at each step: a thin line for each job, a thick one for an arm's mean.

    Args:
        results: the jobs.
        history: what `sweeps.load_history` returns for them.
        quantity: a column of the history.
        by: columns of the table that make the arms; all that differs if empty.

    Raises:
        ValueError: an unknown quantity, or no history of these jobs.
    """
    keys = [name for name in ("sweep", "job") if name in results and name in history]
    checks.choice("quantity", quantity, [c for c in history if c not in ("sweep", "job", "step")])
    arms = results[keys].assign(arm=_arms(results, by).to_numpy())
    rows = history[[*keys, "step", quantity]].merge(arms, on=keys)
    if rows.empty:
        raise ValueError("there is no history of these jobs")
    figure, axis = _axis()
    for arm, colour in _coloured(arms["arm"]):
        mine = rows[rows["arm"] == arm]
        for _, job in mine.groupby(keys):
            axis.plot(job["step"], job[quantity], color=colour, alpha=0.25, linewidth=0.7)
        mean = mine.groupby("step")[quantity].mean()
        axis.plot(mean.index, mean, color=colour, linewidth=2, label=arm, zorder=3)
    axis.set_xlabel("step")
    axis.set_ylabel(quantity)
    _legend(axis)
    return figure


def draw_scatter(
    results: pd.DataFrame, x: str, y: str, by: Sequence[str] = (), pixels: int = 40
) -> Drawing:
    """Draw each job's picture at two of its numbers, framed in its arm's colour.

    Args:
        results: the jobs; those without a picture or one of the numbers are left out.
        x: a column of numbers.
        y: a column of numbers.
        by: columns of the table that make the arms; all that differs if empty.
        pixels: the side of a picture.

    Raises:
        ValueError: an unknown column; no job to draw, or more than 400.
    """
    numeric = [c for c in results if pd.api.types.is_numeric_dtype(results[c])]
    checks.choice("x", x, numeric)
    checks.choice("y", y, numeric)
    jobs = results.assign(arm=_arms(results, by))
    jobs = jobs[jobs["image"].notna() & np.isfinite(jobs[x]) & np.isfinite(jobs[y])]
    if not 0 < len(jobs) <= _MOST_PICTURES:
        raise ValueError(f"a scatter shows 1 to {_MOST_PICTURES} pictures, got {len(jobs)}")
    figure, axis = _axis((7.2, 5.4))
    handles = []
    for arm, colour in _coloured(jobs["arm"]):
        handles.append(Line2D([], [], color=colour, linewidth=3, label=arm))
        for job in jobs[jobs["arm"] == arm].to_dict("records"):
            picture = OffsetImage(_pixels(job["image"], pixels), zoom=72 / figure.dpi)
            frame = {"edgecolor": colour, "linewidth": 1.5, "boxstyle": "square,pad=0"}
            axis.add_artist(AnnotationBbox(picture, (job[x], job[y]), pad=0, bboxprops=frame))
    axis.scatter(jobs[x], jobs[y], s=0)
    axis.margins(0.08)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    _legend(axis, handles)
    return figure


def draw_differences(table: pd.DataFrame) -> Drawing:
    """Draw differences of arms to a baseline with their 95 % intervals, an axis for each metric.

    Args:
        table: what `sweeps.analysis.comparison.compare` returns. Filled marks have p below .05
            after Holm's correction.
    """
    metrics, arms = table["metric"].unique(), list(dict.fromkeys(table["arm"]))
    figure = Drawing(
        figsize=(3.0 * len(metrics) + 1.4, 0.36 * len(arms) + 1.1), layout="constrained"
    )
    axes = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        for row in table[table["metric"] == metric].to_dict("records"):
            place = len(arms) - 1 - arms.index(row["arm"])
            if pd.notna(row["low"]):
                axis.plot([row["low"], row["high"]], [place, place], color=_COLOURS[0])
            filled = pd.notna(row["p_holm"]) and row["p_holm"] < _LEVEL
            axis.plot(
                *(row["difference"], place, "o"),
                color=_COLOURS[0],
                markerfacecolor=_COLOURS[0] if filled else "white",
            )
        axis.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        axis.set_title(f"{metric}\nless that of {table['baseline'].iloc[0]}", fontsize=9)
        axis.set_yticks(range(len(arms)), arms[::-1], parse_math=False)
        axis.set_ylim(-0.6, len(arms) - 0.4)
        axis.locator_params(axis="x", nbins=4)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _axis(size: tuple[float, float] = _SIZE) -> tuple[Drawing, Axes]:
    figure = Drawing(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _arms(results: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    return column_labels(results, by) if by else arm_labels(results)


def _coloured(arms: pd.Series) -> list[tuple[str, str]]:
    names = list(dict.fromkeys(arms))
    return [(arm, _COLOURS[place % len(_COLOURS)]) for place, arm in enumerate(names)]


def _legend(axis: Axes, handles: list[Line2D] | None = None) -> None:
    drawn: Any = axis.get_legend_handles_labels()[0] if handles is None else handles
    if any(one.get_label() for one in drawn):
        axis.legend(handles=drawn, frameon=False, fontsize=8)


def _pixels(image: Any, side: int) -> np.ndarray:
    with Image.open(io.BytesIO(image["bytes"]), formats=["PNG"]) as picture:
        return np.asarray(flatten(picture).resize((side, side), Image.Resampling.LANCZOS))
