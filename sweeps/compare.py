"""`python -m sweeps.compare DIR --by objective --metric differential`: arms against a baseline.

Differences are averaged over the pairs (sweeps/analysis/pairing.py) of a direction first;
directions are the clusters, and weigh equally.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

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
from sweeps.analysis.log_odds import name_scale
from sweeps.analysis.pairing import arm_names
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.better import better
from sweeps.results.csv_file import write_csv
from sweeps.results.labels import arm_labels
from sweeps.results.number_table import number_table, short
from sweeps.results.table import METRICS, load
from sweeps.storage.location import Location, locate

_LEVEL = 0.05
_ARM, _DIGITS = 8, 8  # letters of an arm in one line, and of a number
_WORD = 13  # letters of an arm's word that stand in one line beside numbers of eight letters
_LEGEND = f"of: directions; low, high: 95 % interval; p is corrected, * is below {_LEVEL:g}"
_METRICS_HELP = "metrics (docs/reference/columns.md has their meanings; your own metrics too):"
_NUMBERS = ("mean", "mean_baseline", "difference", "low", "high", "p_holm", "effect")


def main(arguments: Sequence[str]) -> None:
    """Compare the arms, write the table as CSV and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m sweeps.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"{_METRICS_HELP}\n{fill(', '.join(METRICS), 78)}",
    )
    parser.add_argument("directory", type=locate, help="of a sweep, or a folder of sweeps")
    parser.add_argument("--by", nargs="+", default=["objective"], help="columns or groups")
    parser.add_argument(
        *("--metric", "--metrics"), nargs="+", help="columns of numbers, listed below"
    )
    parser.add_argument(
        *("--choices", "--choice"),
        nargs="+",
        type=Path,
        help="answers that the report's blind judging saved, in place of --metric",
    )
    parser.add_argument("--log-odds", action="store_true", help="of metrics from 0 to 1")
    parser.add_argument("--baseline", help="the arm to compare with; the first if not given")
    parser.add_argument(
        "--out", type=locate, help="a .csv file; compare_BY.csv in DIR if not given"
    )
    chosen = parser.parse_args(arguments)
    if (chosen.metric is None) == (chosen.choices is None):
        parser.error("give --metric, for the table's numbers, or --choices, for people's answers")
    if chosen.choices is not None:
        out = chosen.out or chosen.directory / "choices.csv"
        print_choices(chosen.choices, chosen.directory, out)
        return
    results = load(chosen.directory)
    table = compare(results, chosen.by, chosen.metric, chosen.baseline, chosen.log_odds)
    out = chosen.out or chosen.directory / f"compare_{'+'.join(dict.fromkeys(chosen.by))}.csv"
    _save(table, out)
    console = Console()
    ways = {name_scale(m, chosen.log_odds): better(results, m) for m in chosen.metric}
    for metric, rows in table.groupby("metric", sort=False):
        console.print(metric_table(str(metric), rows, ways[str(metric)]))
        console.print()
    console.print(_LEGEND, highlight=False)
    for line in notes(table):
        console.print(line, highlight=False, markup=False)
    absent = int(arm_names(results, chosen.by).isna().sum())
    if absent:
        console.print(f"{absent} rows have no {' or '.join(chosen.by)}", highlight=False)
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)


def print_choices(files: Sequence[Path], directory: Location, out: Location) -> None:
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


def _save(table: pd.DataFrame, out: Location) -> None:
    try:
        write_csv(table, out)
    except OSError as error:
        raise ValueError(f"cannot write {out}: {error.strerror or error}") from error


def metric_table(metric: str, rows: pd.DataFrame, way: str | None) -> Table:
    """Return a printable table of one metric, with p-values after Holm's correction.

    Args:
        metric: the metric's column.
        rows: the rows of `compare`'s table for this metric.
        way: `higher` or `lower`, if one of them is better.
    """
    is_better = f" ({way} is better)" if way else ""
    title = f"{metric}{is_better} against {rows['baseline'].iloc[0]}"
    arms = Column("arm", overflow="fold", min_width=_ARM)
    counts = [Column(head, justify="right") for head in ("pairs", "of")]
    heads = ("mean", "base-\nline", "differ-\nence", "low", "high", "p", "effect")
    numbers = [Column(head, justify="right", no_wrap=True, min_width=_DIGITS - 1) for head in heads]
    table = Table(arms, *counts, *numbers, title=Text(title), box=SIMPLE, show_edge=False)
    table.padding = 0  # for 80 letters
    for row in rows.to_dict("records"):
        cells = [_short(row[key]) for key in _NUMBERS]
        cells[_NUMBERS.index("p_holm")] += "*" if row["p_holm"] < _LEVEL else ""
        table.add_row(
            Text(break_words(str(row["arm"]))), str(row["pairs"]), str(row["directions"]), *cells
        )
    return table


def break_words(text: str) -> str:
    """Return a text whose words of more than 13 letters may break after an underscore."""
    part = rf"(\S{{1,{_WORD - 1}}}_)(?=\S)"
    return " ".join(
        word if len(word) <= _WORD else re.sub(part, r"\1 ", word) for word in text.split()
    )


def _short(value: float) -> str:
    """Return a number in at most eight letters; nothing for a missing one."""
    text = short(value)
    return text if len(text) <= _DIGITS else short(value, 2)


def notes(table: pd.DataFrame) -> list[str]:
    """Return notes on blank pictures, unpaired rows and confounded columns.

    A note names all arms that it holds for, and the metrics unless it holds for every metric.
    """
    rows = [
        (*note, row["arm"], row["metric"])
        for row in table.to_dict("records")
        for note in _notes_of(row)
    ]
    found = pd.DataFrame(rows, columns=["before", "after", "arm", "metric"])
    joined = found.groupby(["before", "after", "metric"], sort=False)["arm"].agg(", ".join)
    equal = joined.reset_index().groupby(["before", "arm", "after"], sort=False)["metric"]
    every = table["metric"].nunique()
    lines = []
    for note, metrics in equal.agg(list).items():
        before, arms, after = map(str, note)  # type: ignore[call-overload]
        which = "" if len(metrics) == every else f"{', '.join(metrics)}: "
        lines.append(f"{which}{before}{arms}{after}")
    return lines


def _notes_of(row: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Return the notes on one row, each as the text before and after the arm's name."""
    baseline, why, why_baseline = (
        row[key] for key in ("baseline", "unpaired_reason", "baseline_unpaired_reason")
    )
    found = [("", f": {row['unpaired']} unpaired, {why}")] if why else []
    if why_baseline:
        after = f"): {row['baseline_unpaired']} unpaired, {why_baseline}"
        found.append((f"{baseline} (against ", after))
    if min(row["begun"], row["baseline_begun"]) < 1:
        shares = f"{row['begun']:.0%}, of {baseline} {row['baseline_begun']:.0%}"
        found.append(("of the pictures of ", f" {shares} began: the rest is dead or collapsed"))
    if row["also_differs"]:
        found.append(("", f": differs from {baseline} also in {row['also_differs']}"))
    return found


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
