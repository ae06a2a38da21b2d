"""Answers of blind judging: what share of its trials each arm wins, and how steady raters are.

Directions and raters are both clusters: another sample of either would give other answers. A
resample therefore draws both, and a trial counts as often as its direction times its rater was
drawn (Owen 2007, "The pigeonhole bootstrap").
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from sweeps.analysis.inference import LEVEL

PREFERENCE, IDENTIFICATION = "preference", "identification"
_RESAMPLES = 1999
_LEAST = 4  # directions, below which there are hardly any different resamples
_PRIOR = 0.5  # wins added to either side of every pair that met: no strength is then infinite
_STEPS = 300  # of the MM algorithm, far more than it takes
_COLUMNS = ["task", "rater", "trial", "repeats", "direction", "choice", "milliseconds"]
_COLUMNS += ["arm", "arm_left", "arm_right", "correct"]
_SIDES = ("left", "right", "none")


def read_choices(paths: Sequence[Path]) -> pd.DataFrame:
    """The answers in CSV files that the report saved, one row a trial.

    Raises:
        ValueError: a file that is no such CSV or has no answers.
    """
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV of answers: {error}") from error
        missing = [c for c in _COLUMNS if c not in table]
        if missing or table.empty:
            what = f"lacks the columns {', '.join(missing)}" if missing else "has no answers"
            raise ValueError(f"{path} {what}: give a file that the report's judging saved")
        wrong = set(table["choice"]) - set(_SIDES)
        if wrong:
            raise ValueError(f"{path}: choice must be left, right or none, got {min(wrong)!r}")
        # One name in two files is one rater; one number in two files is two trials.
        tables.append(table.assign(file=str(path)))
    return pd.concat(tables, ignore_index=True)


def win_shares(choices: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Of every task and arm the share of trials that it wins.

    An arm wins a preference that it is chosen in; it wins an identification that its picture led
    to the right image. "Cannot tell" is half a win, as a guess would be on average. Repeated trials
    do not count.

    Args:
        choices: what `read_choices` returns.
        seed: of the bootstrap.

    Returns:
        `task arm trials undecided directions raters share low high`; `low high`, the 95 %
        percentile interval over directions and raters, null with fewer than four directions.
    """
    wins = pd.concat([_preferred(choices), _identified(choices)], ignore_index=True)
    rows = []
    for (task, arm), told in wins.groupby(["task", "arm"], sort=False):
        low, high = _interval(told, seed)
        rows.append(
            {
                "task": task,
                "arm": arm,
                "trials": len(told),
                "undecided": int((told["won"] == 0.5).sum()),
                "directions": told["direction"].nunique(),
                "raters": told["rater"].nunique(),
                "share": told["won"].mean(),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def bradley_terry(choices: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The strengths of arms that explain who was preferred to whom.

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
    """How steady raters are.

    Returns:
        `rater task answers repeated alike left seconds`: `alike`, the share of repeated trials with
        the same answer although the sides had changed (null without any); `left`, the share of
        decided trials answered left; `seconds`, the median time.
    """
    rows = []
    for (rater, task), told in choices.groupby(["rater", "task"], sort=False):
        again = told[told["repeats"] != ""]
        earlier = told[told["repeats"] == ""].set_index(["file", "trial"])["choice"]
        before = [earlier[one] for one in zip(again["file"], again["repeats"], strict=True)]
        turned = {"left": "right", "right": "left", "none": "none"}
        alike = [turned[a] == b for a, b in zip(again["choice"], before, strict=True)]
        decided = told[told["choice"] != "none"]
        rows.append(
            {
                "rater": rater,
                "task": task,
                "answers": len(told),
                "repeated": len(again),
                "alike": np.mean(alike) if alike else np.nan,
                "left": (decided["choice"] == "left").mean() if len(decided) else np.nan,
                "seconds": told["milliseconds"].astype(float).median() / 1000,
            }
        )
    return pd.DataFrame(rows)


def _first(choices: pd.DataFrame, task: str) -> pd.DataFrame:
    """A task's trials, the repeated ones left out."""
    return choices[(choices["task"] == task) & (choices["repeats"] == "")].reset_index(drop=True)


def _preferred(choices: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm of a preference: whether it won."""
    met = _first(choices, PREFERENCE)
    sides = []
    for side in ("left", "right"):
        won = np.where(met["choice"] == "none", 0.5, (met["choice"] == side).astype(float))
        sides.append(met[["task", "direction", "rater"]].assign(arm=met[f"arm_{side}"], won=won))
    return pd.concat(sides).sort_index(kind="stable")


def _identified(choices: pd.DataFrame) -> pd.DataFrame:
    """A row for each identification: whether the image was the right one."""
    shown = _first(choices, IDENTIFICATION)
    right = np.where(shown["choice"] == "none", 0.5, (shown["correct"] == "1").astype(float))
    return shown[["task", "direction", "rater", "arm"]].assign(won=right)


def _interval(told: pd.DataFrame, seed: int) -> tuple[float, float]:
    if told["direction"].nunique() < _LEAST:
        return np.nan, np.nan
    weights, won = _weights(told, seed), told["won"].to_numpy()
    total = weights.sum(1)
    shares = (weights @ won)[total > 0] / total[total > 0]
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _weights(told: pd.DataFrame, seed: int) -> Float[np.ndarray, "resamples trials"]:
    """How often each trial counts: its direction's draws times its rater's."""
    random = np.random.default_rng(seed)
    weights = np.ones((_RESAMPLES, len(told)))
    for column in ("direction", "rater"):
        place, names = pd.factorize(told[column])
        if len(names) > 1:  # of a single rater there is no sample
            even = np.full(len(names), 1 / len(names))
            weights *= random.multinomial(len(names), even, _RESAMPLES)[:, place]
    return weights


def _strengths(wins: Float[np.ndarray, "sets arms arms"]) -> Float[np.ndarray, "sets arms"]:
    """Log strengths with mean 0, of matrices of wins (row over column)."""
    met = (wins[0] + wins[0].T) > 0
    wins = wins + _PRIOR * met
    games, total = wins + wins.swapaxes(1, 2), wins.sum(2)
    strength = np.ones(total.shape)
    for _ in range(_STEPS):
        strength = total / (games / (strength[:, :, None] + strength[:, None, :])).sum(2)
        strength /= np.exp(np.log(strength).mean(1, keepdims=True))
    return np.log(strength)
