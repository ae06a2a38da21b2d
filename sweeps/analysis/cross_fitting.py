"""Objectives at their best settings: chosen on one half of the clusters, judged on the other half.

A *family* is an objective with its penalty and space. Its *settings* are the values of the columns
in which its jobs differ and that a user would tune: exponents, weights, learning rates, steps. A
*condition* is every other difference, such as the model, the layer or a planted geometry. Clusters
are directions, or the values of a column such as a planted world.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fvjax import checks
from sweeps.analysis.log_odds import name_scale, to_log_odds
from sweeps.results.labels import config_columns, format_exact, is_row_key, join
from sweeps.results.table import METRICS

BLANK = ("dead", "diverged", "collapsed")  # statuses of pictures that do not show their direction
_TUNED = ("learning_rate", "steps")  # settings beside the keys of a family's groups
_SPLIT = ("layer", "direction")  # columns of the direction that make another condition
_LEAST_STRENGTH = 0.05  # planted: of less content a picture is blank
_KEYS = ["condition", "family", "setting", "cluster"]


@dataclass(frozen=True)
class Protocol:
    """The metric that is judged, and the choices that may be made.

    `metric` judges, more is better. `strength` is a column: `strength` of planted models is taken
    as it is; any other, such as `dot`, relative to the strongest arm of the same cluster. `by` are
    the groups that make a family. `settings` are columns; None means the keys of `by`, the learning
    rate and the steps. `clusters` is a column whose values are the clusters in conditions that
    have several of them; directions are the clusters elsewhere. `log_odds` takes the log odds of
    a metric between 0 and 1, clipped at 6. `least` is the share of the largest strength that a
    setting must reach to be chosen. `beside` are columns whose means are reported too.
    """

    metric: str
    strength: str = "dot"
    by: Sequence[str] = ("objective", "penalty", "space")
    settings: Sequence[str] | None = None
    clusters: str | None = None
    log_odds: bool = False
    least: float = 0.5
    beside: Sequence[str] = ()

    @property
    def scale(self) -> str:
        """The name of the judged numbers."""
        return name_scale(self.metric, self.log_odds)


def arms(results: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Return the mean of each arm, a family at a setting, in each cluster.

    Columns: `condition family setting cluster`; `metric` over the pictures that are not blank,
    which is NaN if all are; `strength`, where a blank picture without a number counts as 0, and
    every picture of a cluster that none excites;
    `pictures blank`, their numbers; the columns of `beside`.

    Raises:
        ValueError: a column is unknown, or the metric is nowhere a number.
    """
    columns = config_columns(results)
    for name in (*protocol.by, *(protocol.settings or ()), *filter(None, [protocol.clusters])):
        checks.choice("column", name, columns)
    rows = results[results["status"] != "failed"].copy()
    metric = _numbers(rows, protocol.metric, "metric")
    if protocol.log_odds:
        metric = to_log_odds(metric, protocol.metric)
    if not metric.notna().any():
        raise ValueError(f"no job has a number in {protocol.metric}")
    rows["blank"] = is_blank(rows)
    rows["metric"] = metric.where(~rows["blank"])
    rows["strength_"] = _numbers(rows, protocol.strength, "strength").fillna(0.0)
    rows["family"] = families(rows, protocol.by)
    rows["setting"] = _settings(rows, _tuned(columns, protocol))
    rows["condition"] = conditions(rows[columns], protocol)
    rows["cluster"] = _clusters(rows, columns, protocol)
    wanted = {name: (name, "mean") for name in protocol.beside}
    wanted |= {"metric": ("metric", "mean"), "strength_": ("strength_", "mean")}
    counts = {"pictures": ("blank", "size"), "blank": ("blank", "sum")}
    found = rows.groupby(_KEYS, sort=False).agg(**wanted, **counts).reset_index()
    if protocol.strength != "strength":
        most = found.groupby(["condition", "cluster"])["strength_"].transform("max")
        found["strength_"] = (found["strength_"] / most.where(most > 0)).fillna(0.0)
    found["strength"] = found.pop("strength_")
    return found


def choose(arms: pd.DataFrame, least: float = 0.5) -> pd.DataFrame:
    """Return each family's arms at the setting that the other half of the clusters chose.

    Among the settings whose mean strength is at least `least` of the largest that any arm of the
    condition has there, the setting of the largest mean metric is chosen; if no setting is so
    strong, the strongest setting. Halves alternate in the order of the clusters.

    Raises:
        ValueError: a family has fewer than two clusters in a condition.
    """
    parts = []
    for condition, part in arms.groupby("condition", sort=False):
        clusters = list(dict.fromkeys(part["cluster"]))
        if len(clusters) < 2:
            raise ValueError(
                f"choosing on half of the clusters needs two of them, got {clusters} in "
                f"{str(condition) or 'the sweep'}"
            )
        halves = (set(clusters[::2]), set(clusters[1::2]))
        for half, other in (halves, halves[::-1]):
            chooses = part[part["cluster"].isin(other)]
            means = chooses.groupby(["family", "setting"], sort=False)[["metric", "strength"]]
            table = means.mean()
            strong = table["strength"] >= least * table["strength"].max()
            for family, own in table.groupby(level="family", sort=False):
                able = own[strong.loc[own.index] & own["metric"].notna()]
                values = able["metric"] if len(able) else own["strength"]
                best = values.droplevel("family").idxmax()
                is_best = (part["family"] == family) & (part["setting"] == best)
                parts.append(part[is_best & part["cluster"].isin(half)])
    chosen: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return chosen


def is_blank(rows: pd.DataFrame) -> pd.Series:
    """Return whether a picture does not show its direction.

    Its status says so, or its content of a planted feature is below .05.
    """
    blank: pd.Series = rows["status"].isin(BLANK)
    if "strength" in rows:
        strength = rows["strength"].astype(float)
        blank = blank | (strength < _LEAST_STRENGTH) & strength.notna()
    return blank


def families(rows: pd.DataFrame, by: Sequence[str] = Protocol.by) -> pd.Series:
    """Name each row's choice in the groups: `dot - orthogonal`, `dot_cosine whitened`."""
    parts = []
    for group in by:
        text = rows[group].map(format_exact).where(rows[group].notna(), "none")
        if group == "penalty":
            text = ("- " + text).where(text != "none", "")
        elif group != by[0]:
            text = text.where(~text.isin(["plain", "none"]), "")
        parts.append(text)
    return join(parts)


def _numbers(rows: pd.DataFrame, name: str, role: str) -> pd.Series:
    if name not in rows:
        checks.choice(role, name, [c for c in rows if c in METRICS])
    try:
        return rows[name].astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{role} must be a column of numbers, got {name!r}") from error


def _settings(rows: pd.DataFrame, tuned: Sequence[str]) -> pd.Series:
    """Return the tuned columns in which a family's jobs differ, as text: `exponent=2`."""
    return join([pd.Series("", rows.index), *(_differing(rows, c, rows["family"]) for c in tuned)])


def _tuned(columns: Sequence[str], protocol: Protocol) -> list[str]:
    if protocol.settings is not None:
        return list(protocol.settings)
    return [c for c in columns if c in _TUNED or _is_of(c, protocol.by)]


def _is_of(column: str, groups: Sequence[str]) -> bool:
    return any(column.startswith(f"{group}_") for group in groups)


def conditions(rows: pd.DataFrame, protocol: Protocol) -> pd.Series:
    """Return each row's differences that are neither its family's, nor settings, nor its cluster's.

    A setting's column that `settings` leaves out makes conditions if it is no key of a family.
    A group's key, such as a model's weights, is named where it differs within an option.
    """
    columns = config_columns(rows)
    taken = {*protocol.by, *_tuned(columns, protocol), protocol.clusters, *protocol.beside}
    others = [c for c in columns if c not in taken and not _is_of(c, protocol.by)]
    whole = pd.Series(0, rows.index)
    within = {
        c: rows[c.partition("_")[0]] for c in others if c.partition("_")[0] in {*others} - {c}
    }
    parts = [
        _differing(rows, c, within.get(c, whole))
        for c in others
        if c in _SPLIT or not is_row_key(c)
    ]
    return join([pd.Series("", rows.index), *parts])


def _clusters(rows: pd.DataFrame, columns: Sequence[str], protocol: Protocol) -> pd.Series:
    own = [c for c in columns if is_row_key(c) and c not in ("seed", *_SPLIT)]
    parts = [_differing(rows, c, pd.Series(0, rows.index)) for c in own]
    directions = join([rows["label"].astype(str), *parts])
    if protocol.clusters is None:
        return directions
    values = rows[protocol.clusters]
    several = values.groupby(rows["condition"]).transform(lambda v: v.nunique()) > 1
    named = f"{protocol.clusters}=" + values.map(format_exact)
    return directions.where(~several, named)


def _differing(rows: pd.DataFrame, column: str, within: pd.Series) -> pd.Series:
    """Return `key=value` where a column differs within groups of rows, else ""."""
    values = rows[column]
    many = values.groupby(within, dropna=False).transform(lambda v: v.nunique(dropna=False)) > 1
    key = column.partition("_")[2] if column.startswith(("objective_", "penalty_")) else column
    return (f"{key}=" + values.map(format_exact)).where(values.notna() & many, "")
