"""The README's figure: purity by objective in three planted worlds, from a leaderboard.csv."""

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANELS = {
    "orthogonal": "nothing overlaps",
    "skewed 0.5": "all features overlap (cosine .5)",
    "superposed 1": "twice as many features as dimensions",
}
NAMES = {
    "dot": "dot",
    "differential": "differential",
    "dot_cosine whitened": "dot x cosine^n, whitened",
    "dot_cosine": "dot x cosine^n",
    "cosine": "cosine",
    "inversion": "inversion (L2)",
    "dot - orthogonal": "dot - weight · orthogonal",
    "inversion - total_variation": "inversion - weight · total variation",
}
_HELD, _USUAL = "#1f5fa8", "#c4372b"


def main() -> None:
    """Draw the three panels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="leaderboard.csv")
    parser.add_argument("out", type=Path, help="the PNG file")
    given = parser.parse_args()
    table = pd.read_csv(given.table)
    figure = Figure(figsize=(10.5, 3.5), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for axis, (condition, title) in zip(axes, PANELS.items(), strict=True):
        rows = table[table["condition"] == condition].set_index("family")
        draw(axis, rows)
        clusters = int(rows["clusters"].iloc[0])
        unit = "worlds" if condition.startswith("superposed") else "features"
        axis.set_title(f"{title}\n({clusters} {unit})", fontsize=10)
    axes[0].set_yticks(range(len(NAMES)), list(NAMES.values()))
    label = (
        "purity: share of the picture that is the feature (1 = as pure as possible), 95 % intervals"
    )
    figure.supxlabel(label, fontsize=10)
    figure.savefig(given.out, dpi=130)


def draw(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw one condition: a bar with its interval for each family."""
    for place, family in enumerate(NAMES):
        if family not in rows.index:
            axis.text(0.5, place, "not run", color="grey", ha="center", va="center", fontsize=8)
            continue
        row = rows.loc[family]
        colour = _USUAL if family == "dot" else _HELD
        axis.barh(place, row["metric"], 0.62, color=colour)
        axis.plot([row["low"], row["high"]], [place, place], color="black", linewidth=1.2)
        axis.text(1.33, place, f"{row['metric']:.2f}", ha="right", va="center", fontsize=9)
    axis.set_xlim(0, 1.34)
    axis.set_ylim(len(NAMES) - 0.5, -0.5)
    axis.set_xticks([0, 0.5, 1])
    axis.axvline(1, color="grey", linewidth=0.6, linestyle=":")
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)


if __name__ == "__main__":
    main()
