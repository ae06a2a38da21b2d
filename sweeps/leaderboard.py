"""`python -m sweeps.leaderboard DIR`: which objective recovers planted features, and at what price.

Reads a sweep of `experiment=planted`, prints purity by family and world, and writes leaderboard.csv
(see `sweeps.studies.planted.board`) and leaderboard.png, purity against the severity of every
geometry.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.table import load
from sweeps.storage.atomic import atomic_write
from sweeps.studies.planted import board, cross_fitted_scores, matrix

_SHOWN = {"purity": "purity", "recovered": "share recovered", "strength": "strength"}
_SHOWN |= {"begun": "share of pictures that began"}
_COLUMNS = 3  # of panels
_SHOWN |= {"decoys": "content of decoys", "optimum_purity": "purity of the ideal optimum"}


def main(arguments: Sequence[str]) -> None:
    """Score the families, write the table and the figure, and print them."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.leaderboard", description=__doc__)
    parser.add_argument("directory", type=Path, help="of a sweep, or a folder of sweeps")
    parser.add_argument("--baseline", default="dot", help="the family to compare with")
    chosen = parser.parse_args(arguments)
    table = board(cross_fitted_scores(load(chosen.directory)), chosen.baseline)
    out = chosen.directory / "leaderboard.csv"
    table.to_csv(out, index=False)
    picture = out.with_suffix(".png")
    draw(table, picture)
    console = Console()
    for value, title in _SHOWN.items():
        console.print(world_table(matrix(table, value), title))
    for path in (out, picture):
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)


def world_table(wide: pd.DataFrame, title: str) -> Table:
    """Return a printable table of worlds by families."""
    heads = [Column(str(f).replace(" ", "\n"), overflow="fold") for f in wide.index]
    table = Table(Column("", no_wrap=True), *heads, title=title, box=SIMPLE, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    for world, row in wide.T.iterrows():
        cells = [f"{value:.2f}" if pd.notna(value) else "" for value in row]
        table.add_row(str(world), *cells)
    return table


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw purity against severity, a panel per geometry, with 95 % bands over features."""
    geometries = [g for g in dict.fromkeys(table["model_geometry"]) if g != "orthogonal"]
    zero = table[table["model_geometry"] == "orthogonal"]
    columns = min(len(geometries), _COLUMNS) or 1
    lines = -(-len(geometries) // columns) or 1
    figure = Figure(figsize=(4 * columns, 3.6 * lines), layout="constrained")
    axes = np.ravel(figure.subplots(lines, columns, sharey=True))
    for axis in axes[len(geometries) :]:
        axis.set_axis_off()
    for axis, geometry in zip(axes, geometries, strict=False):
        rows = pd.concat([zero, table[table["model_geometry"] == geometry]])
        for place, (family, family_rows) in enumerate(rows.groupby("family", sort=False)):
            line = family_rows.sort_values("model_severity")
            style = "--" if "whitened" in str(family) else "-"
            colour = f"C{place % 10}"
            x, y = line["model_severity"], line["purity"]
            axis.plot(x, y, style, marker="o", markersize=3, color=colour, label=family)
            axis.fill_between(x, line["low"], line["high"], color=colour, alpha=0.12, linewidth=0)
        axis.set_title(geometry)
        axis.set_xlabel("severity")
    axes[0].set_ylabel("purity (1: as pure as the oracle's)")
    axes[0].set_ylim(0, 1.1)
    names = dict(zip(*axes[0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(names.values(), names.keys(), loc="outside lower center", ncols=4, fontsize=8)
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
