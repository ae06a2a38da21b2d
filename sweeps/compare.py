"""`python -m sweeps.compare DIR --by objective --metric differential`: arms against a baseline.

Differences are averaged over the pairs (sweeps/pairs.py) of a direction first; directions are the
clusters, and weigh equally.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from fvjax import checks
from sweeps.analysis.inference import holm, interval, rank_biserial, sign_flips
from sweeps.analysis.pairing import Pairs, arm_names, compared_columns, factorize, pair
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.labels import config_columns
from sweeps.results.table import METRICS, load

_LEVEL = 0.05
_COLUMNS = ["metric", "arm", "baseline", "pairs", "directions", "mean", "mean_baseline"]
_COLUMNS += ["difference", "low", "high", "p", "p_holm", "effect"]
_COLUMNS += [
    "unpaired",
    "unpaired_reason",
    "baseline_unpaired",
    "baseline_unpaired_reason",
    "also_differs",
]
_NUMBERS = ("mean", "mean_baseline", "difference", "low", "high", "p_holm", "effect")


def compare(
    results: pd.DataFrame,
    by: str | Sequence[str],
    metrics: str | Sequence[str],
    baseline: str | None = None,
) -> pd.DataFrame:
    """Every arm against the baseline, a row for each metric and arm.

    Args:
        results: what `sweeps.load` returns.
        by: config columns that are compared; a group (`objective`) stands for its keys too.
        metrics: columns of numbers.
        baseline: the arm that others are compared with; the first in the table if None.

    Returns:
        `metric arm baseline`; `pairs directions`; `mean mean_baseline difference` over directions;
        `low high`, the 95 % bootstrap interval of the difference; `p p_holm`, of sign flips,
        corrected for all rows; `effect`, the rank-biserial correlation; `unpaired why
        unpaired_baseline why_baseline`, rows of the arm and of the baseline without a pair; `also`,
        columns other than the compared ones that are one value in the arm and another in the
        baseline. An interval takes four directions that are not all alike, p and effect two: null
        where there are fewer.

    Raises:
        ValueError: an unknown column, metric or arm; a single arm; not one pair.
    """
    by, metrics = ([x] if isinstance(x, str) else list(dict.fromkeys(x)) for x in (by, metrics))
    own = compared_columns(results, by)
    results = results.reset_index(drop=True)
    results = results.assign(**{metric: _numbers(results, metric) for metric in metrics})
    name = arm_names(results, by)
    arms = list(dict.fromkeys(name.dropna()))
    if len(arms) < 2:
        raise ValueError(f"nothing to compare by {', '.join(by)}: {' '.join(arms) or 'no arm'}")
    first = arms[0] if baseline is None else baseline
    checks.choice("baseline", first, arms)
    others = [c for c in config_columns(results) if c not in own and c not in metrics]
    code, base = factorize(results, others), (name == first).to_numpy()
    table = pd.DataFrame(
        {"metric": metric, "arm": arm, "baseline": first}
        | _summary_row(pair(results, metric, (name == arm).to_numpy(), base, code))
        for metric in metrics
        for arm in arms
        if arm != first
    )
    if not table["pairs"].any():
        raise ValueError(
            f"{first} has no pair with {table['arm'][0]}: {table['unpaired_reason'][0]}"
        )
    table["p_holm"] = holm(table["p"].tolist())
    return table[_COLUMNS]


def _numbers(results: pd.DataFrame, metric: str) -> pd.Series:
    """A column as floats."""
    if metric not in results:
        checks.choice("metric", metric, [c for c in results if c in METRICS])
    try:
        return results[metric].astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metric must be a column of numbers, got {metric!r}") from error


def _summary_row(pairs: Pairs) -> dict[str, Any]:
    """What pairs say: a row of the table but for its names."""
    means = pairs.values.groupby("direction")[["mine", "base"]].mean()
    differences = (means["mine"] - means["base"]).to_numpy()
    mean, low, high = interval(differences)
    return {
        "pairs": len(pairs.values),
        "directions": len(means),
        "mean": means["mine"].mean(),
        "mean_baseline": means["base"].mean(),
        "difference": mean,
        "low": low,
        "high": high,
        "p": sign_flips(differences),
        "effect": rank_biserial(differences),
        "unpaired": pairs.unpaired,
        "unpaired_reason": pairs.unpaired_reason,
        "baseline_unpaired": pairs.baseline_unpaired,
        "baseline_unpaired_reason": pairs.baseline_unpaired_reason,
        "also_differs": pairs.also_differs,
    }


def main(arguments: Sequence[str]) -> None:
    """Compare, write and print."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.compare", description=__doc__)
    parser.add_argument("directory", type=Path, help="of a sweep, or a folder of sweeps")
    parser.add_argument("--by", nargs="+", default=["objective"], help="columns or groups")
    parser.add_argument("--metric", nargs="+", required=True)
    parser.add_argument("--baseline", help="the arm to compare with; the first if not given")
    parser.add_argument("--out", type=Path, help="a .csv file; compare.csv in DIR if not given")
    chosen = parser.parse_args(arguments)
    results = load(chosen.directory)
    table = compare(results, chosen.by, chosen.metric, chosen.baseline)
    out = chosen.out or chosen.directory / "compare.csv"
    try:
        table.to_csv(out, index=False)
    except OSError as error:
        raise ValueError(f"cannot write {out}: {error.strerror or error}") from error
    console = Console()
    for metric, rows in table.groupby("metric", sort=False):
        console.print(shown(str(metric), rows))
    for line in notes(table):
        console.print(line, highlight=False, markup=False)
    absent = int(arm_names(results, chosen.by).isna().sum())
    if absent:
        console.print(f"{absent} rows have no {' or '.join(chosen.by)}", highlight=False)
    console.print(str(out), soft_wrap=True, highlight=False, markup=False)


def shown(metric: str, rows: pd.DataFrame) -> Table:
    """One metric's rows, for people: pairs of how many directions; p after Holm's correction."""
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
    """What has no pair and why, and what differs besides; what holds for all metrics once."""
    told: dict[str, list[str]] = {}
    for row in table.to_dict("records"):
        arm, baseline = row["arm"], row["baseline"]
        said = (
            [f"{arm}: {row['unpaired']} unpaired, {row['unpaired_reason']}"]
            if row["unpaired_reason"]
            else []
        )
        if row["baseline_unpaired_reason"]:
            alone = f"{row['baseline_unpaired']} unpaired, {row['baseline_unpaired_reason']}"
            said.append(f"{baseline} (against {arm}): {alone}")
        if row["also_differs"]:
            said.append(f"{arm} differs from {baseline} also in {row['also_differs']}")
        for line in said:
            told.setdefault(line, []).append(row["metric"])
    every = table["metric"].nunique()
    return [
        line if len(metrics) == every else f"{', '.join(metrics)}: {line}"
        for line, metrics in told.items()
    ]


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
