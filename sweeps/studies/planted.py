"""Recovery of planted features by objectives, each at its best settings.

A *world* is a geometry at a severity. A *family* is an objective with its penalty and space; its
*settings* are all other columns in which its jobs differ (exponent, weight, learning rate). Seeds
are averaged inside a feature. Settings are chosen on one half of the features, by mean purity, and
the family is judged on the other half; then the other way round (two-fold cross-fitting).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fvjax import checks
from sweeps.analysis.inference import holm, interval, rank_biserial, sign_flips
from sweeps.results.status import BAD, BLANK
from sweeps.results.table import COLUMNS

WORLD, FEATURE = ["model_geometry", "model_severity"], "direction_index"
FAMILY = ["objective", "penalty", "space"]
JUDGED = ["purity", "recovered", "strength", "decoys", "optimum_purity"]
JUDGED += ["best_reference_purity", "best_reference_recovered", "chance", "begun"]
_NOT_SETTINGS = {*WORLD, FEATURE, *FAMILY, "seed", "sweep"}


def cross_fitted_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each feature at the setting that the other half of the features chose.

    Columns: `model_geometry model_severity family direction_index setting`, and the means of
    `JUDGED` over seeds; `begun` is the share of pictures that are neither dead nor collapsed. A
    picture that never began has no purity: it is left out of the feature's mean, and counts as 0
    only where settings are chosen.

    Raises:
        ValueError: the table has no planted scores, or a world has fewer than two features.
    """
    missing = [c for c in (*WORLD, FEATURE, "purity") if c not in results]
    if missing or not results["purity"].notna().any():
        raise ValueError("a leaderboard needs a sweep of model=planted with direction=feature")
    rows = results[results["status"] != "failed"].copy()
    began = ~rows["status"].isin(BLANK) & rows["purity"].notna()
    rows["begun"] = began.astype(float).where(~rows["status"].isin(BAD))
    rows["purity"] = rows["purity"].where(began)
    rows["chance"] = chance(rows)
    rows["family"] = families(rows)
    rows["model_severity"] = rows["model_severity"].where(
        rows["model_geometry"] != "orthogonal", 0.0
    )
    rows["setting"] = _settings(rows)
    keys = [*WORLD, "family", "setting", FEATURE]
    means = rows.groupby(keys, sort=False)[JUDGED].mean().reset_index()
    parts = [_cross_fitted(part) for _, part in means.groupby([*WORLD, "family"], sort=False)]
    return pd.concat(parts, ignore_index=True)


def _cross_fitted(rows: pd.DataFrame) -> pd.DataFrame:
    """Take each half of the features at the setting that is best on the other half."""
    features = sorted(rows[FEATURE].unique())
    if len(features) < 2:
        raise ValueError(f"choosing on half of the features needs two of them, got {features}")
    halves = [set(features[::2]), set(features[1::2])]
    parts = []
    for half, other in (halves, halves[::-1]):
        purity = rows["purity"].fillna(0.0)[rows[FEATURE].isin(other)]
        chosen = purity.groupby(rows["setting"], sort=False).mean().idxmax()
        parts.append(rows[rows[FEATURE].isin(half) & (rows["setting"] == chosen)])
    return pd.concat(parts)


def board(results: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Return a row for each world and family: means, intervals and the difference to the baseline.

    Columns: the world, `family`, `features`; means of `JUDGED`; `low high` of purity (95 %
    bootstrap-t over features); `gap_objective`, 1 less the purity of the ideal optimum, and
    `gap_optimizer`, that purity less the images' purity; `difference difference_low
    difference_high` of purity to the baseline, `p p_holm` of sign flips over features, corrected
    for all rows; `effect`, the rank-biserial correlation; `settings`, the ones chosen.
    """
    checks.choice("baseline", baseline, list(dict.fromkeys(results["family"])))
    board_rows = []
    for world, part in results.groupby(WORLD, sort=False):
        base = part[part["family"] == baseline].set_index(FEATURE)["purity"]
        for family, rows in part.groupby("family", sort=False):
            purity = rows.set_index(FEATURE)["purity"]
            mean, low, high = interval(purity.dropna().to_numpy())
            row = {**dict(zip(WORLD, world, strict=True)), "family": family, "features": len(rows)}
            row |= {name: rows[name].mean() for name in JUDGED} | {
                "purity": mean,
                "low": low,
                "high": high,
            }
            row |= _against(purity, base if family != baseline else None)
            row["settings"] = "; ".join(dict.fromkeys(rows["setting"]))
            board_rows.append(row)
    table = pd.DataFrame(board_rows)
    table["p_holm"] = holm(table["p"].tolist())
    table["gap_objective"] = 1 - table["optimum_purity"]
    table["gap_optimizer"] = table["optimum_purity"] - table["purity"]
    return table


def _against(purity: pd.Series, base: pd.Series | None) -> dict[str, float]:
    names = ("difference", "difference_low", "difference_high", "p", "effect")
    if base is None:
        return dict.fromkeys(names, np.nan)
    differences = (purity - base).dropna().to_numpy()
    return dict(
        zip(
            names,
            (*interval(differences), sign_flips(differences), rank_biserial(differences)),
            strict=True,
        )
    )


def families(rows: pd.DataFrame) -> pd.Series:
    """Name each row's objective, penalty and space: `dot - orthogonal`, `dot_cosine whitened`.

    The whitened dot product is a point of the same program: exponent 0 is among the settings.
    """
    penalty = rows["penalty"].astype(str)
    space = rows["space"].astype(str)
    name = rows["objective"].astype(str)
    name = name + (" - " + penalty).where(penalty != "none", "")
    names: pd.Series = name + (" " + space).where(space != "plain", "")
    return names


def chance(rows: pd.DataFrame) -> pd.Series:
    """Return the raw share of each row's feature in images that were made for other features.

    An image that is unrelated to the feature would score this share on average.
    """
    alike = [c for c in rows if c not in COLUMNS and c != FEATURE]
    chances = pd.Series(np.nan, rows.index)
    for _, part in rows.groupby(alike, dropna=False, sort=False):
        content = np.array(part["content"].tolist())
        shares = content / np.maximum(content.sum(1, keepdims=True), 1e-9)
        wanted = part[FEATURE].to_numpy(int)
        for place, (index, feature) in enumerate(zip(part.index, wanted, strict=True)):
            others = np.delete(shares[:, feature], place)
            chances[index] = others.mean() if len(others) else np.nan
    return chances


def _settings(rows: pd.DataFrame) -> pd.Series:
    """Return the columns in which a family's jobs differ, as text."""
    columns = [str(c) for c in rows if c not in COLUMNS and c not in _NOT_SETTINGS]
    columns = [c for c in columns if c not in ("family", "chance", "begun", "setting")]
    text = pd.Series("", rows.index)
    for column in columns:
        values = rows[column]
        differs = values.groupby(rows["family"]).transform(lambda v: v.nunique(dropna=False)) > 1
        shown = values.map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
        name = column.removeprefix("objective_").removeprefix("penalty_")
        text = text + (f" {name}=" + shown).where(differs & values.notna(), "")
    return text.str.strip()


def matrix(table: pd.DataFrame, value: str, worlds: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a value by family and world (`skewed .5`)."""
    worlds_of_rows = table["model_geometry"] + table["model_severity"].map(
        lambda d: f" {d:g}" if d else ""
    )
    wide = table.assign(world=worlds_of_rows).pivot_table(
        index="family", columns="world", values=value
    )
    order = list(dict.fromkeys(worlds_of_rows)) if worlds is None else list(worlds)
    return wide.reindex(index=list(dict.fromkeys(table["family"])), columns=order)
