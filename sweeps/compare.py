"""`python -m sweeps.compare DIR --by objective --metric differential`: arms against a baseline."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from sweeps.messages import run
from sweeps.pairs import compare as compare
from sweeps.paths import CONF
from sweeps.table import load

_LEVEL = 0.05
_NUMBERS = ("mean", "difference", "low", "high", "p_holm", "effect")


def main(arguments: Sequence[str]) -> None:
    """Compare, write and print."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.compare", description=__doc__)
    parser.add_argument("directory", type=Path, help="of a sweep, or a folder of sweeps")
    parser.add_argument("--by", nargs="+", default=["objective"], help="columns or groups")
    parser.add_argument("--metric", nargs="+", required=True)
    parser.add_argument("--baseline", help="the arm to compare with; the first if not given")
    parser.add_argument("--out", type=Path, help="a .csv file; compare.csv in DIR if not given")
    chosen = parser.parse_args(arguments)
    table = compare(load(chosen.directory), chosen.by, chosen.metric, chosen.baseline)
    out = chosen.out or chosen.directory / "compare.csv"
    table.to_csv(out, index=False)
    console = Console()
    for metric, rows in table.groupby("metric", sort=False):
        console.print(shown(str(metric), rows))
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)


def shown(metric: str, rows: pd.DataFrame) -> Table:
    """One metric's rows, for people: pairs of how many directions; p after Holm's correction."""
    title = f"{metric} against {rows['baseline'].iloc[0]}: 95 % intervals over directions"
    arm, notes = Column("arm", overflow="fold"), Column("unpaired", overflow="fold")
    heads = ("pairs", "of", "mean", "difference", "p", "effect")
    table = Table(arm, *heads, notes, title=title, box=SIMPLE, pad_edge=False)
    base = rows.iloc[0]
    table.add_row(base["baseline"], "", "", f"{base['mean_baseline']:.3g}", "", "", "", "")
    for row in rows.to_dict("records"):
        numbers = {k: f"{row[k]:.3g}" if pd.notna(row[k]) else "" for k in _NUMBERS}
        between = f"[{numbers['low']}, {numbers['high']}]" if numbers["low"] else ""
        table.add_row(
            row["arm"],
            str(row["pairs"]),
            str(row["directions"]),
            numbers["mean"],
            f"{numbers['difference']} {between}",
            numbers["p_holm"] + ("*" if row["p_holm"] < _LEVEL else ""),
            numbers["effect"],
            row["why"] if isinstance(row["why"], str) else "",
        )
    return table


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:]), CONF))
