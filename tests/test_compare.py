"""Paired comparisons: intervals that cover, corrections, what is a pair, and what is left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from sweeps.compare import main, shown
from sweeps.inference import holm, interval, signed_ranks
from sweeps.pairs import compare
from sweeps.table import consolidate, write_part


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(0), 0
    for trial in range(300):
        _, low, high = interval(random.normal(size=10), seed=trial)
        covered += low <= 0 <= high
    assert abs(covered / 300 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 300)


def test_the_interval_is_the_mean_s_and_scales_with_the_values() -> None:
    x = np.random.default_rng(1).exponential(size=12)
    mean, low, high = interval(x)
    assert mean == pytest.approx(x.mean()) and low < mean < high
    assert high - mean > mean - low  # skewed to the right, as the values are
    np.testing.assert_allclose(interval(3 * x + 5), 3 * np.array([mean, low, high]) + 5)
    assert np.isnan(interval(x[:3])[1:]).all() and interval(np.ones(4)) == (1, 1, 1)


def test_signed_ranks_are_wilcoxon_s() -> None:
    x = np.array([0.3, -0.1, 0.5, 0.9, -0.2, 0.0, 0.7])
    p, effect = signed_ranks(x)
    assert p == pytest.approx(wilcoxon(x[x != 0]).pvalue)
    # Ranks by size: .1 .2 .3 .5 .7 .9 are 1 ... 6, and .1 and .2 are against.
    assert effect == pytest.approx((18 - 3) / 21)
    assert signed_ranks(np.zeros(3)) == (1.0, 0.0)
    assert np.isnan(signed_ranks(np.ones(1))).all()


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
    assert not found["why"].any()


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
    assert found["pairs"] == 6 and found["unpaired"] == 7
    assert found["why"] == (
        "1 diverged, 1 without differential, 1 more than once, "
        "1 whose partner is not ok or has no differential, "
        "3 without a partner (none with the same penalty)"
    )


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
        ({"by": ["penalty"]}, "there is a single arm, .*penalty never differ"),
    ],
)
def test_mistakes_are_one_sentence(change: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {"by": ["objective"], "metrics": ["differential"], **change}
    with pytest.raises(ValueError, match=message):
        compare(table(cosine=0.5), **call)


def test_no_pairs_at_all_say_why() -> None:
    t = table(cosine=0.5)
    t.loc[t["objective"] == "cosine", "layer"] = "conv5"
    with pytest.raises(ValueError, match=r"no row of dot has a partner: .*the same layer"):
        compare(t, ["objective"], ["differential"])


def test_the_command_writes_a_csv_and_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(cosine=0.5).reset_index(names="job").replace({np.nan: None}).to_dict("records")
    write_part(tmp_path, rows, {"job": [], "step": []})  # type: ignore[arg-type]
    consolidate(tmp_path)
    main([str(tmp_path), "--metric", "differential"])
    written = pd.read_csv(tmp_path / "compare.csv")
    assert written["arm"].tolist() == ["cosine"] and written["pairs"].tolist() == [12]
    printed = capsys.readouterr().out
    assert "differential against dot" in printed and "compare.csv" in printed
    assert shown("differential", written).row_count == 2
