"""Answers of blind judging: the share of trials that each arm wins, and the raters' consistency.

Directions and raters are both clusters. A resample therefore draws both, and the weight of a trial
is the number of draws of its direction times that of its rater (Owen 2007, "The pigeonhole
bootstrap").
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from fvjax import checks
from sweeps.analysis.inference import LEVEL

PREFERENCE, IDENTIFICATION = "preference", "identification"
_RESAMPLES = 1999
_LEAST = 4  # directions, below which there are hardly any different resamples
_PRIOR = 0.5  # wins added to either side of every pair that met: no strength is then infinite
_STEPS = 300  # of the MM algorithm, far more than it takes
_COLUMNS = ["task", "rater", "trial", "repeats", "direction", "choice", "milliseconds"]
_COLUMNS += ["arm", "arm_left", "arm_right", "correct"]
_SIDES = ("left", "right", "none")
_MOST_MILLISECONDS = 1e12


def read_choices(paths: Sequence[Path]) -> pd.DataFrame:
    """Read the answers in CSV files that the report saved, one row per trial.

    Raises:
        ValueError: a file, named in the message, that is no such CSV or has no answers.
    """
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (ValueError, OSError, OverflowError, pd.errors.ParserError) as error:
            raise ValueError(f"{path} is no CSV of answers: {checks.reason(error)}") from error
        missing = [c for c in _COLUMNS if c not in table]
        if missing or table.empty:
            what = f"lacks the columns {', '.join(missing)}" if missing else "has no answers"
            raise ValueError(f"{path} {what}: give a file that the report's judging saved")
        wrong = set(table["choice"]) - set(_SIDES)
        if wrong:
            raise ValueError(f"{path}: choice must be left, right or none, got {min(wrong)!r:.60}")
        _check_trials(table, path)
        # One name in two files is one rater; one number in two files is two trials.
        tables.append(table.assign(file=str(path)))
    return pd.concat(tables, ignore_index=True)


def _check_trials(table: pd.DataFrame, path: Path) -> None:
    """Refuse times that are no numbers, a trial that is there twice, and repeats of no trial."""
    times = pd.to_numeric(table["milliseconds"], errors="coerce")
    bad = table["milliseconds"][~(times.between(0, _MOST_MILLISECONDS))]
    if len(bad):
        raise ValueError(f"{path}: milliseconds must be a number, got {bad.iloc[0]!r:.60}")
    first = table[table["repeats"] == ""]
    trials = pd.MultiIndex.from_frame(first[["rater", "task", "trial"]])
    if trials.has_duplicates:
        twice = first["trial"][trials.duplicated()].iloc[0]
        raise ValueError(f"{path}: trial {twice!r:.60} is there twice")
    again = table[table["repeats"] != ""]
    asked = pd.MultiIndex.from_frame(again[["rater", "task", "repeats"]])
    lost = again["repeats"][~asked.isin(trials)]
    if len(lost):
        raise ValueError(f"{path}: no trial {lost.iloc[0]!r:.60} is there to be repeated")


def win_shares(choices: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return the share of trials that each arm wins, for each task.

    An arm wins a preference if the rater chooses it. It wins an identification if its image led to
    the right answer. "Cannot tell" is half a win, the average of a guess. Repeated trials do not
    count.

    Args:
        choices: what `read_choices` returns.
        seed: of the bootstrap.

    Returns:
        `task arm trials undecided directions raters share low high`; `low high`, the 95 %
        percentile interval over directions and raters, null with fewer than four directions.
    """
    wins = pd.concat([_preferred(choices), _identified(choices)], ignore_index=True)
    rows = []
    for (task, arm), trials in wins.groupby(["task", "arm"], sort=False):
        low, high = _interval(trials, seed)
        rows.append(
            {
                "task": task,
                "arm": arm,
                "trials": len(trials),
                "undecided": int((trials["won"] == 0.5).sum()),
                "directions": trials["direction"].nunique(),
                "raters": trials["rater"].nunique(),
                "share": trials["won"].mean(),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def bradley_terry(choices: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Fit the strengths of arms to the preferences.

    Bradley and Terry (1952): arm i is preferred to j with probability 1 / (1 + exp(s_j - s_i)).
    Fitted by the MM algorithm (Hunter 2004), with half a win added to both sides of each pair that
    met; strengths have mean 0.

    Returns:
        `arm strength low high`, the strongest first; intervals as of `win_shares`. Empty without
        preferences.
    """
    met = _first(choices, PREFERENCE)
    arms = list(dict.fromkeys([*met["arm_left"], *met["arm_right"]]))
    if not arms:
        return pd.DataFrame(columns=["arm", "strength", "low", "high"])
    left, right = (met[c].map(arms.index).to_numpy() for c in ("arm_left", "arm_right"))
    score = met["choice"].map({"left": 1.0, "right": 0.0, "none": 0.5}).to_numpy()
    weights = np.concatenate([np.ones((1, len(met))), _weights(met, seed)])
    wins = np.zeros((len(weights), len(arms), len(arms)))
    for trial, (i, j) in enumerate(zip(left, right, strict=True)):
        wins[:, i, j] += weights[:, trial] * score[trial]
        wins[:, j, i] += weights[:, trial] * (1 - score[trial])
    strengths = _strengths(wins)
    low, high = np.quantile(strengths[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    few = met["direction"].nunique() < _LEAST
    table = pd.DataFrame({"arm": arms, "strength": strengths[0], "low": low, "high": high})
    if few:
        table[["low", "high"]] = np.nan
    return table.sort_values("strength", ascending=False, ignore_index=True)


def rater_consistency(choices: pd.DataFrame) -> pd.DataFrame:
    """Return how consistently each rater answered repeated trials.

    Returns:
        `rater task answers repeated alike left seconds`: `alike`, the share of repeated trials with
        the same answer although the sides had changed (null without any); `left`, the share of
        decided trials answered left; `seconds`, the median time.
    """
    rows = []
    for (rater, task), trials in choices.groupby(["rater", "task"], sort=False):
        again = trials[trials["repeats"] != ""]
        earlier = trials[trials["repeats"] == ""].set_index(["file", "trial"])["choice"]
        before = [earlier[trial] for trial in zip(again["file"], again["repeats"], strict=True)]
        turned = {"left": "right", "right": "left", "none": "none"}
        alike = [turned[a] == b for a, b in zip(again["choice"], before, strict=True)]
        decided = trials[trials["choice"] != "none"]
        rows.append(
            {
                "rater": rater,
                "task": task,
                "answers": len(trials),
                "repeated": len(again),
                "alike": np.mean(alike) if alike else np.nan,
                "left": (decided["choice"] == "left").mean() if len(decided) else np.nan,
                "seconds": trials["milliseconds"].astype(float).median() / 1000,
            }
        )
    return pd.DataFrame(rows)


def _first(choices: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return a task's trials without the repeated trials."""
    return choices[(choices["task"] == task) & (choices["repeats"] == "")].reset_index(drop=True)


def _preferred(choices: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each arm of each preference, with its win."""
    met = _first(choices, PREFERENCE)
    sides = []
    for side in ("left", "right"):
        won = np.where(met["choice"] == "none", 0.5, (met["choice"] == side).astype(float))
        sides.append(met[["task", "direction", "rater"]].assign(arm=met[f"arm_{side}"], won=won))
    return pd.concat(sides).sort_index(kind="stable")


def _identified(choices: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each identification, with the win of its arm."""
    shown = _first(choices, IDENTIFICATION)
    right = np.where(shown["choice"] == "none", 0.5, (shown["correct"] == "1").astype(float))
    return shown[["task", "direction", "rater", "arm"]].assign(won=right)


def _interval(trials: pd.DataFrame, seed: int) -> tuple[float, float]:
    if trials["direction"].nunique() < _LEAST:
        return np.nan, np.nan
    weights, won = _weights(trials, seed), trials["won"].to_numpy()
    total = weights.sum(1)
    shares = (weights @ won)[total > 0] / total[total > 0]
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _weights(trials: pd.DataFrame, seed: int) -> Float[np.ndarray, "resamples trials"]:
    """Return the weight of each trial: the draws of its direction times those of its rater."""
    random = np.random.default_rng(seed)
    weights = np.ones((_RESAMPLES, len(trials)))
    for column in ("direction", "rater"):
        place, names = pd.factorize(trials[column])
        if len(names) > 1:  # of a single rater there is no sample
            even = np.full(len(names), 1 / len(names))
            weights *= random.multinomial(len(names), even, _RESAMPLES)[:, place]
    return weights


def _strengths(wins: Float[np.ndarray, "sets arms arms"]) -> Float[np.ndarray, "sets arms"]:
    """Fit log strengths with mean 0 to matrices of wins (row over column)."""
    met = (wins[0] + wins[0].T) > 0
    wins = wins + _PRIOR * met
    games, total = wins + wins.swapaxes(1, 2), wins.sum(2)
    strength = np.ones(total.shape)
    for _ in range(_STEPS):
        strength = total / (games / (strength[:, :, None] + strength[:, None, :])).sum(2)
        strength /= np.exp(np.log(strength).mean(1, keepdims=True))
    return np.log(strength)
