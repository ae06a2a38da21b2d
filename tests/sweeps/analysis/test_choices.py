"""Answers of blind judging: shares, strengths, intervals over directions and raters, raters."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_cases import write_sweep

from sweeps.analysis.choices import bradley_terry, rater_consistency, read_choices, win_shares
from sweeps.compare import main


def answers(
    p: float, directions: int = 12, raters: int = 1, seed: int = 0, spread: float = 0.0
) -> pd.DataFrame:
    """`dot` is preferred to `cosine` with probability p, by direction p plus or minus a spread."""
    random = np.random.default_rng(seed)
    rows = []
    for rater in range(raters):
        for trial in range(directions):
            dot_left = random.random() < 0.5
            chance = p + spread * (1 if trial % 2 else -1)
            dot_won = random.random() < chance
            rows.append(line(rater, trial, dot_left, "left" if dot_won == dot_left else "right"))
    return pd.DataFrame(rows)


def line(rater: Any, trial: int, dot_left: bool, choice: str, repeats: str = "") -> dict[str, Any]:
    arms = ("dot", "cosine") if dot_left else ("cosine", "dot")
    told = {"task": "preference", "rater": str(rater), "trial": str(trial), "repeats": repeats}
    told |= {"direction": f"conv2:{trial}", "choice": choice, "milliseconds": "1500"}
    told |= {"arm": "", "arm_left": arms[0], "arm_right": arms[1], "correct": "", "file": "a"}
    return told | {"job": "", "job_left": "0", "job_right": "1"}


def test_shares_are_of_trials_and_cannot_tell_is_half() -> None:
    rows = [line(0, 0, True, "left"), line(0, 1, False, "right"), line(0, 2, True, "none")]
    rows += [line(0, 3, False, "left"), line(0, 4, True, "right", repeats="0")]
    told = win_shares(pd.DataFrame(rows)).set_index("arm")
    assert told.loc["dot", "share"] == 2.5 / 4 and told.loc["cosine", "share"] == 1.5 / 4
    assert told.loc["dot", ["trials", "undecided", "directions", "raters"]].tolist() == [4, 1, 4, 1]


@pytest.mark.slow
def test_the_interval_covers_and_widens_with_the_clusters() -> None:
    covered, trials = 0, 120
    for seed in range(trials):
        told: Any = win_shares(answers(0.7, 24, raters=3, seed=seed)).set_index("arm").loc["dot"]
        covered += told["low"] <= 0.7 <= told["high"]
    assert covered / trials > 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials)
    alike, apart = (
        win_shares(answers(0.5, 24, raters=40, seed=1, spread=spread)).set_index("arm").loc["dot"]
        for spread in (0.0, 0.4)
    )
    assert apart["high"] - apart["low"] > 1.3 * (alike["high"] - alike["low"])


def test_few_directions_have_no_interval() -> None:
    told = win_shares(answers(0.7, directions=3, raters=9))
    assert told[["low", "high"]].isna().all(axis=None)


def test_strengths_are_the_model_s() -> None:
    told = bradley_terry(answers(0.75, 400, seed=3)).set_index("arm")
    share = win_shares(answers(0.75, 400, seed=3)).set_index("arm")["share"]["dot"]
    apart = told["strength"]["dot"] - told["strength"]["cosine"]
    assert apart == pytest.approx(np.log(share / (1 - share)), abs=0.01)
    assert told["strength"].sum() == pytest.approx(0) and told.index[0] == "dot"
    assert (told["low"] < told["strength"]).all() and (told["strength"] < told["high"]).all()


def test_three_arms_that_never_all_met_are_in_order() -> None:
    random, rows = np.random.default_rng(0), []
    strength = {"a": 1.0, "b": 0.0, "c": -1.0}
    for trial in range(600):
        pair = ("a", "b") if trial % 2 else ("b", "c")
        won = random.random() < 1 / (1 + np.exp(strength[pair[1]] - strength[pair[0]]))
        told = line(0, trial, True, "left" if won else "right")
        rows.append(told | {"arm_left": pair[0], "arm_right": pair[1]})
    table = bradley_terry(pd.DataFrame(rows))
    assert table["arm"].tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(table["strength"], [1, 0, -1], atol=0.25)


def test_an_arm_that_always_wins_has_a_finite_strength() -> None:
    table = bradley_terry(answers(1.0, 20))
    assert np.isfinite(table["strength"]).all() and table["strength"][0] > 1


def test_identification_is_the_share_of_right_images() -> None:
    rows = []
    for trial in range(8):
        told = line(0, trial, True, "none" if trial == 7 else "left") | {"task": "identification"}
        told |= {"arm": "dot", "arm_left": "most", "arm_right": "least"}
        rows.append(told | {"correct": "" if trial == 7 else str(int(trial != 0))})
    shares = win_shares(pd.DataFrame(rows)).set_index("arm")
    assert shares.index.tolist() == ["dot"] and shares.loc["dot", "share"] == 6.5 / 8
    assert bradley_terry(pd.DataFrame(rows)).empty


def test_a_steady_rater_and_one_who_always_presses_left() -> None:
    rows = []
    for rater in ("steady", "left"):
        for trial in range(6):
            rows.append(line(rater, trial, True, "left"))
        for trial in range(3):
            choice = "right" if rater == "steady" else "left"
            rows.append(line(rater, 6 + trial, False, choice, repeats=str(trial)))
    table = pd.DataFrame(rows).assign(file=lambda t: t["rater"])
    told = rater_consistency(table).set_index("rater")
    assert told["alike"].to_dict() == {"steady": 1.0, "left": 0.0}
    assert told.loc["left", "left"] == 1 and told.loc["steady", "seconds"] == 1.5


def test_the_command_reads_answers_and_writes_shares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, arms={"dot": None, "cosine": None})
    file = tmp_path / "answers.csv"
    answers(0.8, 20).drop(columns="file").to_csv(file, index=False)
    main([str(tmp_path), "--choices", str(file)])
    said = capsys.readouterr().out
    assert "preference: share of trials won" in said and "choices.csv" in said
    table: Any = pd.read_csv(tmp_path / "choices.csv").set_index("arm")
    assert table.loc["dot", "share"] > 0.5 and table.loc["dot", "strength"] > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no CSV of answers"),
        ("a,b\n1,2\n", "lacks the columns task"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_choices([tmp_path / "other.csv"])


def test_answers_of_another_sweep_are_refused(tmp_path: Path) -> None:
    write_sweep(tmp_path, arms={"inversion": None, "cosine": None})
    answers(0.8).drop(columns="file").to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(ValueError, match="no arm 'dot'"):
        main([str(tmp_path), "--choices", str(tmp_path / "answers.csv")])


def test_neither_metrics_nor_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
