"""Parts that only a leaderboard of planted features has: worlds, chance, optima, a figure.

The protocol is that of `sweeps.analysis.cross_fitting`: purity judges, strength decides which
settings may be chosen, and where a geometry has several worlds, worlds are the clusters.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fvjax.metrics.optimum_range import EXACT, purity_range
from fvjax.models.model import Model
from fvjax.models.planted import planted
from sweeps.analysis.cross_fitting import Protocol, conditions, families, is_blank
from sweeps.results.table import COLUMNS
from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location

BESIDE = (
    *("grating_purity", "recovered", "decoys", "optimum_purity", "optimum_low", "optimum_high"),
    *("best_reference_purity", "best_reference_recovered", "chance"),
)
TOLD = ("previous",)  # penalties that read the true features: no contestants
_GEOMETRY, _SEVERITY, _WORLD = "model_geometry", "model_severity", "model_world"
_FEATURE = "direction_index"
_PANELS = 3  # in a row


def is_planted(results: pd.DataFrame) -> bool:
    """Return whether a table has scores of planted features."""
    return _GEOMETRY in results and "purity" in results and bool(results["purity"].notna().any())


def protocol_of(results: pd.DataFrame) -> Protocol:
    """Return the protocol for a table of planted features."""
    clusters = _WORLD if _WORLD in results else None
    beside = tuple(name for name in BESIDE if name in results)
    return Protocol(metric="purity", strength="strength", clusters=clusters, beside=beside)


def prepared(results: pd.DataFrame) -> pd.DataFrame:
    """Return a table with `chance`, `optimum_low` and `optimum_high`, for one severity of 0."""
    rows = results[results["status"] != "failed"].copy()
    rows[_SEVERITY] = rows[_SEVERITY].where(rows[_GEOMETRY] != "orthogonal", 0.0)
    rows["chance"] = chance(rows)
    if "grating_purity" in rows:
        rows["grating_purity"] = rows["grating_purity"].where(~is_blank(rows))
    ranges = [_range(*row) for row in _worlds(rows).itertuples(index=False)]
    rows["optimum_low"], rows["optimum_high"] = np.array(ranges).reshape(-1, 2).T
    return rows


def _worlds(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what decides each row's optima: family, geometry, severity, orientations, world, k."""
    kept = rows[[_GEOMETRY, _SEVERITY]].copy()
    kept.insert(0, "family", families(rows))
    kept["orientations"] = rows.get("model_orientations", 4)
    kept["world"] = rows.get(_WORLD, 0)
    kept["feature"] = rows[_FEATURE]
    return kept


@cache
def _range(
    family: str, geometry: str, severity: float, orientations: int, world: int, feature: int
) -> tuple[float, float]:
    if family not in EXACT:
        return np.nan, np.nan
    model = _model(geometry, severity, int(orientations), int(world))
    return purity_range(model, family, int(feature))


@cache
def _model(geometry: str, severity: float, orientations: int, world: int) -> Model:
    return planted(geometry=geometry, severity=severity, orientations=orientations, world=world)


def chance(rows: pd.DataFrame) -> pd.Series:
    """Return the raw share of each row's feature in images that were made for other features.

    An image that is unrelated to the feature would score this share on average.
    """
    alike = [c for c in rows if c not in COLUMNS and c != _FEATURE]
    chances = pd.Series(np.nan, rows.index)
    for _, part in rows.groupby(alike, dropna=False, sort=False):
        content = np.array(part["content"].tolist())
        shares = content / np.maximum(content.sum(1, keepdims=True), 1e-9)
        wanted = part[_FEATURE].to_numpy(int)
        for place, (index, feature) in enumerate(zip(part.index, wanted, strict=True)):
            others = np.delete(shares[:, feature], place)
            chances[index] = others.mean() if len(others) else np.nan
    return chances


def with_worlds(board: pd.DataFrame, rows: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Return a board with `geometry severity`, `told`, and conditions by name: `skewed 0.5`.

    Families that are told the features come last.
    """
    named = rows[[_GEOMETRY, _SEVERITY]].assign(condition=conditions(rows, protocol))
    named = named.drop_duplicates("condition").set_index("condition")
    found = board.assign(
        geometry=board["condition"].map(named[_GEOMETRY]),
        severity=board["condition"].map(named[_SEVERITY]).astype(float),
        told=board["family"].str.contains("|".join(TOLD)),
    )
    severity = found["severity"].map(lambda s: f" {s:g}" if s else "")
    rest = found["condition"].str.replace(r"model_(geometry|severity)=\S+ ?", "", regex=True)
    found["condition"] = (found["geometry"] + severity + " " + rest.str.strip()).str.strip()
    return found.sort_values("told", kind="stable", ignore_index=True)


def matrix(table: pd.DataFrame, value: str, worlds: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a value by family and condition (`skewed 0.5`)."""
    wide = table.pivot_table(index="family", columns="condition", values=value)
    order = list(dict.fromkeys(table["condition"])) if worlds is None else list(worlds)
    return wide.reindex(index=list(dict.fromkeys(table["family"])), columns=order)


def draw(table: pd.DataFrame, path: Location) -> None:
    """Draw purity against severity, a panel per geometry, with 95 % bands over clusters."""
    geometries = [g for g in dict.fromkeys(table["geometry"]) if g != "orthogonal"]
    zero = table[table["geometry"] == "orthogonal"]
    columns = min(len(geometries), _PANELS) or 1
    lines = -(-len(geometries) // columns) or 1
    figure = Figure(figsize=(4 * columns, 3.6 * lines), layout="constrained")
    axes = np.ravel(figure.subplots(lines, columns, sharey=True))
    for axis in axes[len(geometries) :]:
        axis.set_axis_off()
    colours = {family: f"C{n % 10}" for n, family in enumerate(dict.fromkeys(table["family"]))}
    for axis, geometry in zip(axes, geometries, strict=False):
        rows = pd.concat([zero, table[table["geometry"] == geometry]])
        for family, family_rows in rows.groupby("family", sort=False):
            line = family_rows.sort_values("severity")
            style = ":" if line["told"].any() else "--" if "whitened" in str(family) else "-"
            colour = colours[family]
            x, y = line["severity"], line["metric"]
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
