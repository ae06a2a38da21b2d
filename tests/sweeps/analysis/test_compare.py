"""Paired comparisons: intervals that cover, corrections, what is a pair, and what is left out."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_cases import write_sweep
from rich.console import Console
from scipy.stats import t as student

from sweeps.analysis.comparison import compare
from sweeps.analysis.inference import holm, interval, p_value, rank_biserial, sign_flips
from sweeps.analysis.pairing import arm_names
from sweeps.compare import break_words, main, metric_table, notes
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.results.table import consolidate, load, write_part


def uniform(random: np.random.Generator, clusters: int) -> np.ndarray:
    return random.uniform(-1, 1, clusters)


def skewed(random: np.random.Generator, clusters: int) -> np.ndarray:
    return random.exponential(size=clusters) - 1


def rare(random: np.random.Generator, clusters: int) -> np.ndarray:
    return (random.random(clusters) < 0.25) - 0.25


@pytest.mark.parametrize(
    ("draw", "clusters", "least", "most"),
    [(uniform, 10, 0.95, 0.97), (skewed, 10, 0.91, 0.95), (rare, 12, 0.93, 1)],
)
def test_the_interval_covers_the_true_mean_as_often_as_it_says(
    draw: Any, clusters: int, least: float, most: float
) -> None:
    random, covered, trials = np.random.default_rng(0), 0, 400
    for trial in range(trials):
        x = draw(random, clusters)
        while np.ptp(x) == 0:  # has no interval
            x = draw(random, clusters)
        _, low, high = interval(x, seed=trial)
        covered += low <= 0 <= high
    error = 3 * np.sqrt(0.95 * 0.05 / trials)
    assert least - error < covered / trials < most + error


def test_the_interval_is_the_mean_s_and_scales_with_the_values() -> None:
    x = np.random.default_rng(1).exponential(size=12)
    mean, low, high = interval(x)
    assert mean == pytest.approx(x.mean()) and high - mean == pytest.approx(mean - low)
    np.testing.assert_allclose(interval(3 * x + 5), 3 * np.array([mean, low, high]) + 5)
    np.testing.assert_allclose(interval(-x), [-mean, -high, -low])
    assert interval(x) == interval(x)


def test_there_is_no_interval_where_nothing_tells_of_the_spread() -> None:
    for x in (np.ones(1), np.array([0.1, 0.5, 0.9]), np.zeros(9), np.full(9, 0.1) * 3):
        mean, low, high = interval(x)
        assert mean == pytest.approx(x.mean()) and np.isnan([low, high]).all()
    assert np.isnan(interval(np.ones(0))).all()


def test_where_resamples_are_often_alike_the_interval_is_student_s() -> None:
    x = np.eye(8)[0]  # one cluster in eight differs: a third of the resamples are all 0
    reach = student.ppf(0.975, 7) * x.std(ddof=1) / np.sqrt(8)
    np.testing.assert_allclose(interval(x), [1 / 8, 1 / 8 - reach, 1 / 8 + reach])


def test_sign_flips_count_flips() -> None:
    # Sums of ±1 ±2 ±4 are ±7 ±5 ±3 ±1; 3 = 4 + 1 - 2 is met or passed by six of eight.
    assert sign_flips(np.array([1.0, -2.0, 4.0])) == 6 / 8
    assert sign_flips(np.full(6, 0.1)) == 2 / 2**6 and sign_flips(np.zeros(5)) == 1
    assert np.isnan(sign_flips(np.ones(1)))
    many = np.random.default_rng(0).normal(0.4, size=20)
    normal = 2 * student.sf(many.mean() / many.std(ddof=1) * np.sqrt(20), 19)
    assert sign_flips(many) == pytest.approx(normal, abs=0.01) == sign_flips(-many)
    assert sign_flips(many + 10) == 1 / 2**13  # what was found is one of the flips


def test_a_p_value_is_the_largest_of_three_and_agrees_with_the_interval() -> None:
    random = np.random.default_rng(5)
    for clusters in (4, 8, 16):
        for _ in range(60):
            x = random.exponential(size=clusters) - random.uniform(0, 1.5)
            p, (_, low, high) = p_value(x), interval(x)
            assert sign_flips(x) <= p <= 1
            assert p >= 0.05 or not low <= 0 <= high
    assert p_value(np.array([1.0, -2.0, 4.0])) == 6 / 8  # of three, flips alone
    assert p_value(np.zeros(5)) == 1 and p_value(np.full(6, 0.1)) == 2 / 2**6
    x = random.normal(size=20) + 0.6
    assert p_value(x) == p_value(-x) == p_value(3 * x)


def test_a_p_value_rejects_skewed_nulls_less_often_than_flips() -> None:
    random, trials = np.random.default_rng(0), 300
    drawn = [np.exp(random.normal(size=12)) - np.exp(0.5) for _ in range(trials)]
    ours = np.mean([p_value(x) <= 0.05 for x in drawn])
    flips = np.mean([sign_flips(x) <= 0.05 for x in drawn])
    assert ours < flips - 0.02 and ours < 0.17


def test_studentised_flips_are_flips() -> None:
    """Of one sample: the sum of squares is the same for all flips, so t grows with the mean."""
    x = np.random.default_rng(2).exponential(size=9) - 0.5
    signs = 1 - 2 * (np.arange(2**9)[:, None] >> np.arange(9) & 1)
    flipped = signs * x
    t = np.abs(flipped.mean(1)) / flipped.std(1, ddof=1)
    assert np.mean(t >= t[0] - 1e-9) == sign_flips(x)


def test_sign_flips_reject_a_true_null_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    p = [sign_flips(uniform(random, 9)) for _ in range(1000)]
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_the_effect_is_the_ranks_in_favour_less_those_against() -> None:
    x = np.array([0.3, -0.1, 0.5, 0.9, -0.2, 0.0, 0.7])
    # Ranks by size: .1 .2 .3 .5 .7 .9 are 1 ... 6, and .1 and .2 are against.
    assert rank_biserial(x) == pytest.approx((18 - 3) / 21) == -rank_biserial(-x)
    assert rank_biserial(np.zeros(3)) == 0 and np.isnan(rank_biserial(np.ones(1)))


def test_holm_is_step_down() -> None:
    found = holm([0.01, 0.04, 0.03, np.nan, 0.005])
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, np.nan, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])


def table(**effects: float) -> pd.DataFrame:
    """dot and the named arms on six directions and two seeds; effects are of `differential`."""
    random, rows = np.random.default_rng(0), []
    for index in range(6):
        own = random.normal()
        for seed in (0, 1):
            noise = random.normal() * 0.01
            for objective, effect in {"dot": 0.0, **effects}.items():
                rows.append(
                    {
                        "objective": objective,
                        "objective_exponent": 2.0 if objective == "dot_cosine" else np.nan,
                        "penalty": "none",
                        "layer": "conv4",
                        "direction": "channel",
                        "direction_index": index,
                        "seed": seed,
                        "label": f"conv4:{index}",
                        "status": "ok",
                        "differential": own + noise + effect * (1 + 0.1 * index),
                        "cosine": 0.5,
                    }
                )
    return pd.DataFrame(rows)


def test_pairs_differ_in_the_compared_group_only() -> None:
    found = compare(table(dot_cosine=0.5, cosine=0.0), ["objective"], ["differential"])
    assert found["arm"].tolist() == ["dot_cosine", "cosine"]
    first, second = (row for _, row in found.iterrows())
    assert (first["pairs"], first["directions"], first["baseline"]) == (12, 6, "dot")
    assert first["difference"] == pytest.approx(0.5 * 1.25)
    assert first["low"] < first["difference"] < first["high"]
    assert first["p"] == pytest.approx(2 / 2**6) and first["p_holm"] == pytest.approx(2 / 2**5)
    assert first["effect"] == 1 and second["effect"] == 0 and second["p"] == 1
    assert first["mean"] - first["mean_baseline"] == pytest.approx(first["difference"])
    assert not found["unpaired_reason"].any() and not found["also_differs"].any()


def test_more_seeds_of_the_same_directions_do_not_narrow_the_interval() -> None:
    few = table(cosine=0.5)
    more = pd.concat([few.assign(seed=few["seed"] + 2 * k) for k in range(5)])
    one, other = (compare(t, ["objective"], ["differential"]).iloc[0] for t in (few, more))
    assert other["pairs"] == 5 * one["pairs"] and other["directions"] == one["directions"]
    assert (other["low"], other["high"]) == pytest.approx((one["low"], one["high"]))


def test_directions_weigh_equally() -> None:
    t = table(cosine=0.5)
    once = t[(t["direction_index"] > 0) | (t["seed"] == 0)]  # direction 0 has one seed only
    found = compare(once, ["objective"], ["differential"]).iloc[0]
    assert found["pairs"] == 11 and found["difference"] == pytest.approx(0.5 * 1.25)


def test_what_is_left_out_is_counted_with_its_reason() -> None:
    t = table(cosine=0.5)
    mine = t.index[t["objective"] == "cosine"]
    t.loc[mine[0], "status"] = "diverged"
    t.loc[mine[1], "differential"] = np.nan
    base = t.index[t["objective"] == "dot"]
    t.loc[base[2], "status"] = "dead"
    t = t.drop(base[3])
    t.loc[mine[4:6], "penalty"] = "orthogonal"
    t = pd.concat([t, t.loc[[mine[7]]]])
    found = compare(t, ["objective"], ["differential"]).iloc[0]
    assert found["pairs"] == 6 and found["unpaired"] == 7 and found["baseline_unpaired"] == 5
    assert found["unpaired_reason"] == (
        "1 diverged, 1 without differential, 1 whose partner is dead, "
        "1 without a partner (the closest differs in seed), "
        "2 without a partner (the closest differs in penalty), 1 more than once"
    )
    assert found["baseline_unpaired_reason"] == (
        "1 whose partner is diverged, 1 whose partner is without differential, 1 dead, "
        "2 without a partner (the closest differs in penalty)"
    )


def test_blank_pictures_are_counted_for_each_arm_and_not_averaged() -> None:
    t = table(cosine=0.5)
    mine = t.index[t["objective"] == "cosine"]
    t.loc[mine[:3], "status"] = "collapsed"
    t.loc[mine[:3], "differential"] = -100.0
    t.loc[t.index[t["objective"] == "dot"][3], "status"] = "dead"
    found = compare(t, ["objective"], ["differential"])
    (one,) = found.to_dict("records")
    assert one["begun"] == pytest.approx(1 - 3 / len(mine)) and one["mean"] > -1
    assert one["baseline_begun"] == pytest.approx(1 - 1 / len(mine))
    assert "3 collapsed" in one["unpaired_reason"]
    (line,) = [text for text in notes(found) if "began" in text]
    assert line == "of the pictures of cosine 75%, of dot 92% began: the rest is dead or collapsed"


def test_of_equal_rows_the_newest_that_can_be_used_counts() -> None:
    t = table(cosine=0.5)
    again = t[t["objective"] == "cosine"].copy()
    again["differential"] += 1
    last = again.assign(status="failed")
    found = compare(pd.concat([t, again, last]), "objective", "differential").iloc[0]
    assert found["pairs"] == 12 and found["difference"] == pytest.approx(0.5 * 1.25 + 1)
    assert found["unpaired_reason"] == "12 more than once, 12 failed"


def test_what_comes_with_an_arm_does_not_break_pairs_and_is_told() -> None:
    t = table(cosine=0.5).assign(learning_rate=0.05, steps=256)
    t.loc[t["objective"] == "cosine", "learning_rate"] = 0.002
    found = compare(t, "objective", "differential")
    assert (
        found["pairs"][0] == 12 and found["also_differs"][0] == "learning_rate=0.002 against 0.05"
    )
    assert "cosine: differs from dot also in learning_rate=0.002 against 0.05" in notes(found)
    t.loc[t.index[t["objective"] == "cosine"][:4], "learning_rate"] = 0.05
    found = compare(t, "objective", "differential")  # no more a part of the arm
    assert found["pairs"][0] == 4 and not found["also_differs"][0]
    assert (
        found["unpaired_reason"][0] == "8 without a partner (the closest differs in learning_rate)"
    )
    t["seed"] = np.where(t["objective"] == "dot", 0, 1) + 2 * t["seed"]
    with pytest.raises(ValueError, match="differs in seed"):  # seeds are never a part
        compare(t, "objective", "differential")


def test_rows_to_which_a_compared_key_does_not_apply_are_no_arm() -> None:
    t = table(dot_cosine=0.5)
    more = t[t["objective"] == "dot_cosine"].assign(objective_exponent=4.0)
    found = compare(pd.concat([t, more]), "objective_exponent", "differential")
    assert found["baseline"].tolist() == ["objective_exponent=2"]
    assert found["arm"].tolist() == ["objective_exponent=4"] and found["pairs"][0] == 12
    whole = compare(pd.concat([t, more]), "objective", "differential")
    assert whole["arm"].tolist() == ["dot_cosine exponent=2", "dot_cosine exponent=4"]


def test_an_arm_without_a_penalty_has_a_name() -> None:
    t = table(cosine=0.5)
    other = t.assign(penalty="orthogonal", differential=t["differential"] - 1)
    found = compare(pd.concat([t, other]), "penalty", "differential", "none")
    assert found["arm"].tolist() == ["orthogonal"] and found["pairs"][0] == 24
    both = compare(pd.concat([t, other]), ["objective", "penalty"], "differential")
    assert both["arm"].tolist() == ["cosine", "dot orthogonal", "cosine orthogonal"]


def test_probabilities_can_be_compared_by_log_odds() -> None:
    t = table(cosine=0.0).assign(transfer=0.5)
    t.loc[t["objective"] == "cosine", "transfer"] = [1.0, *[0.9] * 11]
    row = compare(t, "objective", "transfer", log_odds=True).iloc[0]
    assert row["metric"] == "log odds of transfer"
    assert row["difference"] == pytest.approx((6 + 11 * np.log(9)) / 12)  # of 1: 6
    with pytest.raises(ValueError, match="log odds are of numbers from 0 to 1: differential"):
        compare(table(cosine=9.0), "objective", "differential", log_odds=True)


def test_a_column_of_one_s_own_can_be_the_metric() -> None:
    t = table(cosine=0.5)
    t["mine"] = (t["differential"] > 0).astype(object).where(t["seed"] == 0, None)
    found = compare(t, "objective", "mine").iloc[0]
    assert found["pairs"] == 6 and found["unpaired_reason"] == "6 without mine"


def test_numbers_are_equal_as_numbers_and_null_is_null() -> None:
    t = table(cosine=0.5)
    t["direction_index"] = t["direction_index"].astype(object)
    t.loc[t["objective"] == "cosine", "direction_index"] *= 1.0
    t["extra"] = np.where(t["objective"] == "dot", None, np.nan)
    assert compare(t, ["objective"], ["differential"]).iloc[0]["pairs"] == 12


def test_any_column_can_be_compared() -> None:
    t = table(cosine=0.5).assign(learning_rate=0.05)
    other = t.assign(learning_rate=0.1, differential=t["differential"] + 1)
    both = pd.concat([t, other])
    found = compare(both, ["learning_rate"], ["differential", "cosine"], "learning_rate=0.1")
    assert found["metric"].tolist() == ["differential", "cosine"]
    assert found.iloc[0]["difference"] == pytest.approx(-1) and found.iloc[1]["difference"] == 0
    seeds = compare(t, ["seed"], ["differential"])
    assert seeds["arm"].tolist() == ["seed=1"] and seeds.iloc[0]["pairs"] == 12


def test_fewer_than_two_directions_have_no_interval() -> None:
    t = table(cosine=0.5)
    found = compare(t[t["direction_index"] == 0], ["objective"], ["differential"]).iloc[0]
    assert found["difference"] == pytest.approx(0.5)
    assert found[["low", "high", "p", "p_holm", "effect"]].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": ["objektive"]}, "unknown column to compare by 'objektive'.*did you mean objective"),
        ({"metrics": ["diferential"]}, "unknown metric .*did you mean differential"),
        ({"baseline": "dot_cosin"}, "unknown baseline .*did you mean"),
        ({"by": ["penalty"]}, "nothing to compare by penalty: none"),
        ({"metrics": ["label"]}, "metric must be a column of numbers, got 'label'"),
    ],
)
def test_mistakes_are_one_sentence(change: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {"by": ["objective"], "metrics": ["differential"], **change}
    with pytest.raises(ValueError, match=message):
        compare(table(cosine=0.5), **call)


def test_no_pairs_at_all_say_why() -> None:
    t = table(cosine=0.5)
    t.loc[t["objective"] == "cosine", "layer"] = "conv5"
    with pytest.raises(ValueError, match=r"dot has no pair with cosine: .*differs in layer"):
        compare(t, ["objective"], ["differential"])


def test_the_command_writes_a_csv_and_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(cosine=0.5).reset_index(names="job").replace({np.nan: None}).to_dict("records")
    write_part(tmp_path, rows)  # type: ignore[arg-type]
    consolidate(tmp_path)
    main([str(tmp_path), "--metric", "differential"])
    written = pd.read_csv(tmp_path / "compare_objective.csv", keep_default_na=False)
    whole = compare(load(tmp_path), "objective", "differential")
    assert list(written) == list(whole) and written["pairs"].tolist() == [12]
    assert written["p_holm"][0] == whole["p_holm"][0] == 2 / 2**6
    printed = capsys.readouterr().out
    assert "differential (higher is better) against dot" in printed
    assert "compare_objective.csv" in printed
    assert metric_table("differential", whole, "higher").row_count == 1
    main([str(tmp_path), "--metric", "cosine", "--log-odds"])
    assert "log odds of cosine (higher is better) against dot" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"cannot write .*nowhere"):
        main([str(tmp_path), "--metric", "cosine", "--out", str(tmp_path / "nowhere" / "a.csv")])


@pytest.mark.slow
def test_the_command_line_says_what_is_unpaired_and_what_is_wrong(tmp_path: Path) -> None:
    t = table(cosine=0.5)
    t.loc[t.index[1], "status"] = "diverged"
    rows = t.reset_index(names="job").replace({np.nan: None}).to_dict("records")
    write_part(tmp_path, rows)  # type: ignore[arg-type]
    command = [sys.executable, "-m", "sweeps.compare", str(tmp_path), "--metric"]
    done = subprocess.run([*command, "differential", "cosine"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("cosine: 1 unpaired, 1 diverged") == 1  # said once for both metrics
    assert "dot (against cosine): 1 unpaired, 1 whose partner is diverged" in lines


def test_a_mistake_on_the_command_line_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(lambda: main([str(tmp_path), "--metric", "score"]), CONF) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} holds no results")


def test_a_note_for_several_arms_is_one(tmp_path: Path) -> None:
    results = write_sweep(tmp_path, status={1: "failed", 2: "failed"})  # of cosine and dot_cosine
    lines = notes(compare(results, ["objective"], ["dot", "cosine"]))
    assert "cosine, dot_cosine: 1 unpaired, 1 failed" in lines
    assert len(lines) == 2


def test_eighty_letters_hold_the_table(tmp_path: Path) -> None:
    found = compare(write_sweep(tmp_path), ["objective"], ["dot"])
    numbers = ["mean", "mean_baseline", "difference", "low", "high"]
    found[numbers] *= -1.2345e-6
    found["p_holm"], found["effect"] = 0.0312, -0.944
    found["arm"] = ["dot_cosine exponent=2", "total_variation"]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(metric_table("dot", found, "higher"))
    text = console.export_text()
    assert "dot (higher is better) against dot" in text and "…" not in text
    assert text.count("e-0") == 10 and text.count("0.0312*") == 2 and text.count("-0.944") == 2
    assert "low" in text and max(map(len, text.splitlines())) <= 80
    assert break_words("total_variation") == "total_ variation" and "total_" in text
    assert break_words("dot exponent=2") == "dot exponent=2"


def test_the_column_of_pictures_is_no_group_of_image_height(tmp_path: Path) -> None:
    results = write_sweep(tmp_path, seeds=1)
    results["image_height"] = results["objective"].map({"dot": 16, "cosine": 32, "dot_cosine": 32})
    names = arm_names(results, ["image_height"])
    assert set(names) == {"image_height=16", "image_height=32"}
