"""`python -m sweeps.leaderboard DIR --metric transfer`: which objective is best, tuned fairly?

Settings are chosen on one half of the clusters (directions) and judged on the other half, both
ways (`sweeps.analysis.cross_fitting`). Writes leaderboard.csv; frontier.csv and frontier.png, the
metric against the strength of every setting. A sweep of planted features needs no --metric: it is
judged by purity, and leaderboard.png shows purity against the severity of every geometry.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sweeps.analysis.board import board, frontier, settings_tried
from sweeps.analysis.cross_fitting import Protocol, arms, choose
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.csv_file import write_csv
from sweeps.results.frontier_figure import draw_frontiers
from sweeps.results.number_table import short
from sweeps.results.table import load
from sweeps.storage.location import locate
from sweeps.studies import planted

_SHOWN = {"metric": "purity", "grating_purity": "purity by rendered gratings"}
_SHOWN |= {"recovered": "share recovered", "strength": "strength", "blank": "blank pictures"}
_SHOWN |= {"decoys": "content of decoys", "optimum_purity": "purity of an ideal optimum"}
_SHOWN |= {"optimum_low": "least purity of an optimum", "optimum_high": "largest"}


def main(arguments: Sequence[str]) -> None:
    """Score the families, write the tables and figures, and print the tables."""
    chosen = _parser().parse_args(arguments)
    results = load(chosen.directory)
    of_planted = planted.is_planted(results) and chosen.metric in (None, "purity")
    if not of_planted and chosen.metric is None:
        raise ValueError("give --metric, a column of numbers: only planted features have a default")
    protocol = Protocol(metric=chosen.metric or "purity")
    if of_planted:
        results = planted.prepared(results)
        protocol = planted.protocol_of(results)
    given = {name: getattr(chosen, name) for name in ("by", "settings", "clusters", "strength")}
    protocol = replace(
        protocol,
        **{name: value for name, value in given.items() if value is not None},
        log_odds=chosen.log_odds,
        least=chosen.least_strength,
    )
    all_arms = arms(results, protocol)
    table = board(choose(all_arms, protocol.least), chosen.baseline, protocol.beside)
    settings = frontier(all_arms)
    console, out = Console(), chosen.directory / "leaderboard.csv"
    pictures = [chosen.directory / "frontier.png"]
    if of_planted:
        table = planted.with_worlds(table, results, protocol)
        settings = planted.with_worlds(settings, results, protocol)
        pictures.append(out.with_suffix(".png"))
        planted.draw(table, pictures[1])
        for value, title in _SHOWN.items():
            if value in table:
                console.print(world_table(planted.matrix(table, value), title))
    else:
        for condition, rows in table.groupby("condition", sort=False):
            console.print(family_table(rows, protocol, str(condition)))
            for family, chosen_settings in rows[["family", "settings"]].itertuples(index=False):
                console.print(f"{family}: {chosen_settings}", soft_wrap=True, markup=False)
    write_csv(table, out)
    write_csv(settings, chosen.directory / "frontier.csv")
    draw_frontiers(settings, table, protocol.scale, pictures[0])
    for line in notes(table, settings_tried(all_arms)):
        console.print(line, highlight=False, markup=False)
    for path in (out, chosen.directory / "frontier.csv", *pictures):
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sweeps.leaderboard", description=__doc__)
    parser.add_argument("directory", type=locate, help="of a sweep, or a folder of sweeps")
    parser.add_argument("--metric", help="the column that judges, more is better")
    parser.add_argument("--log-odds", action="store_true", help="of a metric from 0 to 1")
    parser.add_argument("--strength", help="a column: dot if not given")
    parser.add_argument("--by", nargs="+", help="groups: objective penalty space if not given")
    parser.add_argument(
        "--settings",
        nargs="+",
        help="columns to choose in: the groups' keys, learning_rate and steps if not given",
    )
    parser.add_argument("--clusters", help="a column whose values are the clusters")
    parser.add_argument("--baseline", default="dot", help="the family to compare with")
    parser.add_argument(
        "--least-strength",
        type=float,
        default=0.5,
        help="a setting can be chosen from this share of the largest strength on",
    )
    return parser


def family_table(rows: pd.DataFrame, protocol: Protocol, condition: str) -> Table:
    """Return a printable table of one condition, of at most 80 letters; settings are apart."""
    title = f"{protocol.scale}{' in ' + condition if condition else ''}, 95 % intervals"
    heads = ["family", "n", "mean", "strength", "blank", "difference", "p"]
    columns = [Column(h, overflow="fold", no_wrap=h != "family") for h in heads]
    table = Table(*columns, title=title, box=SIMPLE)
    table.show_edge, table.padding = False, (0, 1, 0, 0)
    for row in rows.to_dict("records"):
        cells = [
            str(row["family"]),
            str(row["clusters"]),
            _with_interval(row["metric"], row["low"], row["high"]),
            short(row["strength"], 2),
            f"{row['blank']}/{row['pictures']}",
            _with_interval(row["difference"], row["difference_low"], row["difference_high"]),
            short(row["p_holm"], 2),
        ]
        table.add_row(*map(Text, cells))
    return table


def _with_interval(value: float, low: float, high: float) -> str:
    interval = "" if pd.isna(low) else f" [{short(low, 2)}, {short(high, 2)}]"
    return f"{short(value, 2)}{interval}"


def world_table(wide: pd.DataFrame, title: str) -> Table:
    """Return a printable table of worlds by families."""
    heads = [Column(str(f).replace(" ", "\n"), overflow="fold") for f in wide.index]
    table = Table(Column("", no_wrap=True), *heads, title=title, box=SIMPLE, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    for world, row in wide.T.iterrows():
        table.add_row(str(world), *map(short, row))
    return table


def notes(table: pd.DataFrame, tried: dict[str, int]) -> list[str]:
    """Return notes on unequal numbers of settings, blank pictures, and families that are told."""
    lines = []
    if len(set(tried.values())) > 1:
        counts = ", ".join(f"{family} {count}" for family, count in tried.items())
        lines.append(f"families have unequal numbers of settings to choose from: {counts}")
    blank = table.groupby("family", sort=False)[["blank", "pictures"]].sum()
    for family, (dark, pictures) in zip(blank.index, blank.to_numpy(), strict=True):
        if dark:
            lines.append(
                f"{family}: {dark:.0f} of {pictures:.0f} pictures are blank (dead, diverged or "
                "collapsed) and have no part in the metric"
            )
    told = list(table["family"][table["told"]].unique()) if "told" in table else []
    lines += [f"{family} is told the true features: it is no contestant" for family in told]
    return lines


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
