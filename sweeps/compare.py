"""`python -m sweeps.compare DIR --by objective --metric differential`: arms against a baseline.

Differences are averaged over the pairs (sweeps/analysis/pairing.py) of a direction first;
directions are the clusters, and weigh equally.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sweeps.analysis.choices import (
    PREFERENCE,
    bradley_terry,
    rater_consistency,
    read_choices,
    win_shares,
)
from sweeps.analysis.comparison import compare
from sweeps.analysis.pairing import arm_names
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.labels import arm_labels
from sweeps.results.number_table import number_table
from sweeps.results.table import load

_LEVEL = 0.05
_NUMBERS = ("mean", "mean_baseline", "difference", "low", "high", "p_holm", "effect")


def main(arguments: Sequence[str]) -> None:
    """Compare the arms, write the table as CSV and print it."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.compare", description=__doc__)
    parser.add_argument("directory", type=Path, help="of a sweep, or a folder of sweeps")
    parser.add_argument("--by", nargs="+", default=["objective"], help="columns or groups")
    parser.add_argument("--metric", nargs="+", help="columns of numbers")
    parser.add_argument(
        *("--choices", "--choice"),
        nargs="+",
        type=Path,
        help="answers that the report's blind judging saved, in place of --metric",
    )
    parser.add_argument("--baseline", help="the arm to compare with; the first if not given")
    parser.add_argument("--out", type=Path, help="a .csv file; compare.csv in DIR if not given")
    chosen = parser.parse_args(arguments)
    if (chosen.metric is None) == (chosen.choices is None):
        parser.error("give --metric, for the table's numbers, or --choices, for people's answers")
    if chosen.choices is not None:
        out = chosen.out or chosen.directory / "choices.csv"
        print_choices(chosen.choices, chosen.directory, out)
        return
    results = load(chosen.directory)
    table = compare(results, chosen.by, chosen.metric, chosen.baseline)
    out = chosen.out or chosen.directory / "compare.csv"
    _save(table, out)
    console = Console()
    for metric, rows in table.groupby("metric", sort=False):
        console.print(metric_table(str(metric), rows))
    for line in notes(table):
        console.print(line, highlight=False, markup=False)
    absent = int(arm_names(results, chosen.by).isna().sum())
    if absent:
        console.print(f"{absent} rows have no {' or '.join(chosen.by)}", highlight=False)
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)


def print_choices(files: Sequence[Path], directory: Path, out: Path) -> None:
    """Print and write the answers of raters: shares, strengths and consistency.

    Args:
        files: the CSV files that the report saved.
        directory: the directory of the sweep, whose arms the answers name.
        out: the CSV file to write.
    """
    choices = read_choices(files)
    known = set(arm_labels(load(directory)).replace("", "all jobs"))
    names = {
        arm.removeprefix("'") for arm in choices[["arm", "arm_left", "arm_right"]].to_numpy().flat
    }
    unknown = sorted(names - known - {"", "most", "least"})
    if unknown:
        raise ValueError(f"{directory} has no arm {unknown[0]!r}: the answers are of another sweep")
    shares, strengths = win_shares(choices), bradley_terry(choices)
    strengths = strengths.rename(columns={"low": "strength_low", "high": "strength_high"})
    _save(shares.merge(strengths.assign(task=PREFERENCE), on=["task", "arm"], how="left"), out)
    console = Console()
    for task, rows in shares.groupby("task", sort=False):
        console.print(number_table(rows.drop(columns="task"), f"{task}: share of trials won"))
    if len(strengths) > 2:
        console.print(number_table(strengths, "Bradley-Terry strengths"))
    console.print(number_table(rater_consistency(choices), "raters"))
    console.print("intervals are 95 %, over directions and raters; 0.5 is chance", highlight=False)
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)


def _save(table: pd.DataFrame, out: Path) -> None:
    try:
        table.to_csv(out, index=False)
    except OSError as error:
        raise ValueError(f"cannot write {out}: {error.strerror or error}") from error


def metric_table(metric: str, rows: pd.DataFrame) -> Table:
    """Return a printable table of one metric, with p-values after Holm's correction."""
    title = f"{metric} against {rows['baseline'].iloc[0]}: 95 % intervals over directions"
    heads = ("pairs", "of", "mean", "baseline", "difference", "p", "effect")
    table = Table(
        Column("arm", overflow="fold"), *heads, title=Text(title), box=SIMPLE, pad_edge=False
    )
    for row in rows.to_dict("records"):
        numbers = {k: f"{row[k]:.3g}" if pd.notna(row[k]) else "" for k in _NUMBERS}
        between = f" [{numbers['low']}, {numbers['high']}]" if numbers["low"] else ""
        table.add_row(
            Text(str(row["arm"])),
            str(row["pairs"]),
            str(row["directions"]),
            numbers["mean"],
            numbers["mean_baseline"],
            Text(numbers["difference"] + between),
            numbers["p_holm"] + ("*" if row["p_holm"] < _LEVEL else ""),
            numbers["effect"],
        )
    return table


def notes(table: pd.DataFrame) -> list[str]:
    """Return notes on blank pictures, unpaired rows and confounded columns.

    A note for all metrics appears once.
    """
    metrics_of: dict[str, list[str]] = {}
    for row in table.to_dict("records"):
        arm, baseline = row["arm"], row["baseline"]
        lines = (
            [f"{arm}: {row['unpaired']} unpaired, {row['unpaired_reason']}"]
            if row["unpaired_reason"]
            else []
        )
        if min(row["begun"], row["baseline_begun"]) < 1:
            shares = f"{row['begun']:.0%}, of {baseline} {row['baseline_begun']:.0%}"
            lines.append(f"of the pictures of {arm} {shares} began: the rest is dead or collapsed")
        if row["baseline_unpaired_reason"]:
            unpaired = f"{row['baseline_unpaired']} unpaired, {row['baseline_unpaired_reason']}"
            lines.append(f"{baseline} (against {arm}): {unpaired}")
        if row["also_differs"]:
            lines.append(f"{arm} differs from {baseline} also in {row['also_differs']}")
        for line in lines:
            metrics_of.setdefault(line, []).append(row["metric"])
    every = table["metric"].nunique()
    return [
        line if len(metrics) == every else f"{', '.join(metrics)}: {line}"
        for line, metrics in metrics_of.items()
    ]


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
