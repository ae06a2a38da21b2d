"""Settings are chosen on other clusters, by metric and strength; blank pictures are counted."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeps.analysis.board import board, frontier, settings_tried
from sweeps.analysis.cross_fitting import Protocol, arms, choose, families, is_blank
from sweeps.leaderboard import main
from sweeps.results.table import consolidate, write_part

DIRECTIONS = 8
JUDGED = Protocol(metric="transfer")


def table(seeds: int = 2, **constant: Any) -> pd.DataFrame:
    """The exponent 4 suits the even channels, 2 the odd ones; dot is fair everywhere."""
    rows = []
    for channel, seed in product(range(DIRECTIONS), range(seeds)):
        for objective, exponent in (("dot", np.nan), ("dot_cosine", 2.0), ("dot_cosine", 4.0)):
            good = {2.0: channel % 2 == 1, 4.0: channel % 2 == 0}.get(exponent, False)
            rows.append(
                {"status": "ok", "objective": objective, "objective_exponent": exponent}
                | {"penalty": "none", "space": "plain", "layer": "conv4", "seed": seed}
                | {"direction": "channel", "direction_index": channel, "label": f"conv4:{channel}"}
                | {"learning_rate": 0.05, "steps": 64, "dot": 2.0 + channel}
                | {"transfer": (0.9 if good else 0.1) + 0.01 * seed}
                | constant
            )
    return pd.DataFrame(rows)


def test_settings_are_chosen_on_the_other_half_of_the_clusters() -> None:
    """What suits the even channels is all wrong for the odd ones: honest choosing must show it."""
    chosen = choose(arms(table(), JUDGED))
    mine = chosen[chosen["family"] == "dot_cosine"]
    assert len(mine) == DIRECTIONS and mine["metric"].max() < 0.2
    odd = mine[mine["cluster"].str[-1].astype(int) % 2 == 1]
    assert set(odd["setting"]) == {"exponent=4"}  # the best one of the even channels


def test_seeds_are_averaged_inside_a_cluster() -> None:
    found = arms(table(seeds=3), JUDGED)
    np.testing.assert_allclose(found[found["family"] == "dot"]["metric"], 0.11)
    assert set(found["pictures"]) == {3}


def test_a_faint_setting_cannot_be_chosen() -> None:
    t = table()
    t.loc[t["objective_exponent"] == 4, ["dot", "transfer"]] = [0.1, 0.99]
    mine = choose(arms(t, JUDGED))
    assert set(mine[mine["family"] == "dot_cosine"]["setting"]) == {"exponent=2"}
    freely = choose(arms(t, JUDGED), least=0.0)
    assert set(freely[freely["family"] == "dot_cosine"]["setting"]) == {"exponent=4"}


def test_where_every_setting_is_faint_the_strongest_is_taken() -> None:
    t = table()
    t.loc[t["objective_exponent"] == 4, ["dot", "transfer"]] = [0.1, 0.99]
    t.loc[t["objective_exponent"] == 2, ["dot", "transfer"]] = [0.2, 0.01]
    mine = choose(arms(t, JUDGED))
    assert set(mine[mine["family"] == "dot_cosine"]["setting"]) == {"exponent=2"}


def test_where_no_picture_excites_its_direction_every_family_still_has_a_row() -> None:
    t = table()
    t["dot"] = -1.0
    chosen = choose(arms(t, JUDGED))
    assert set(chosen["family"]) == {"dot", "dot_cosine"} and (chosen["strength"] == 0).all()


def test_strength_is_of_the_strongest_arm_for_the_same_direction() -> None:
    t = table()
    t.loc[t["objective"] == "dot_cosine", "dot"] /= 2
    found = arms(t, JUDGED).groupby("family")["strength"].mean()
    np.testing.assert_allclose(found[["dot", "dot_cosine"]], [1, 0.5])


def test_blank_pictures_are_counted_and_have_no_metric() -> None:
    t = table(seeds=1)
    where = (t["objective"] == "dot") & (t["direction_index"] < 4)
    t.loc[where, "status"] = ["dead", "collapsed", "diverged", "failed"]
    t.loc[where, "transfer"] = 0.0
    row = board(choose(arms(t, JUDGED)), "dot").set_index("family").loc["dot"]
    assert row["pictures"] == 7 and row["blank"] == 3  # the failed one has no picture
    assert row["metric"] == pytest.approx(0.1)
    assert is_blank(pd.DataFrame({"status": "ok", "strength": [0.04, 0.06, np.nan]})).tolist() == [
        True,
        False,
        False,
    ]


def test_a_family_whose_pictures_are_all_blank_still_has_a_row() -> None:
    t = table()
    t.loc[t["objective"] == "dot_cosine", "status"] = "collapsed"
    t.loc[t["objective"] == "dot_cosine", "dot"] = 0.0
    row = board(choose(arms(t, JUDGED)), "dot").set_index("family").loc["dot_cosine"]
    assert np.isnan(row["metric"]) and row["blank"] == row["pictures"] == 2 * DIRECTIONS


def test_layers_and_other_columns_make_conditions_and_clusters_may_be_a_column() -> None:
    t = pd.concat(
        [table(model_world=w, layer=name) for w in range(4) for name in ("conv4", "conv5")]
    )
    t = t.reset_index(drop=True)
    found = arms(t, Protocol(metric="transfer", clusters="model_world"))
    assert set(found["condition"]) == {"layer=conv4", "layer=conv5"}
    assert set(found["cluster"]) == {f"model_world={w}" for w in range(4)}
    assert set(arms(t, JUDGED)["condition"]) == {
        f"layer={name} model_world={w}" for w in range(4) for name in ("conv4", "conv5")
    }


def test_a_group_s_keys_are_named_where_they_differ_within_an_option() -> None:
    parts = [table(model=m, model_weights=w) for m, w in (("a", "x"), ("b", "y"), ("b", "z"))]
    found = arms(pd.concat(parts, ignore_index=True), JUDGED)
    assert set(found["condition"]) == {
        *("model=a", "model=b model_weights=y", "model=b model_weights=z")
    }
    assert set(arms(pd.concat(parts[:2], ignore_index=True), JUDGED)["condition"]) == {
        *("model=a", "model=b")
    }


def test_settings_can_be_named() -> None:
    t = pd.concat([table(steps=s) for s in (32, 64)], ignore_index=True)
    assert settings_tried(arms(t, JUDGED)) == {"dot": 2, "dot_cosine": 4}
    found = arms(t, Protocol(metric="transfer", settings=["objective_exponent"]))
    assert set(found["condition"]) == {"steps=32", "steps=64"}
    assert settings_tried(found) == {"dot": 1, "dot_cosine": 2}


def test_log_odds_are_clipped_and_of_probabilities_alone() -> None:
    t = table(seeds=1)
    t.loc[t["objective"] == "dot", "transfer"] = 1e-9
    found = arms(t, Protocol(metric="transfer", log_odds=True)).groupby("family")["metric"].min()
    np.testing.assert_allclose(found[["dot", "dot_cosine"]], [-6, np.log(0.1 / 0.9)])
    with pytest.raises(ValueError, match="log odds are of numbers from 0 to 1: dot has others"):
        arms(t, Protocol(metric="dot", log_odds=True))


def test_the_frontier_is_what_no_setting_of_the_family_beats() -> None:
    t = table(seeds=1)
    t["transfer"], t["dot"] = t["transfer"].where(t["objective"] == "dot", 0.0), 1.0
    for exponent, metric, strength in ((2.0, 0.3, 0.9), (4.0, 0.6, 0.4)):
        where = t["objective_exponent"] == exponent
        t.loc[where, ["transfer", "dot"]] = [metric, strength]
    worse = t[t["objective_exponent"] == 2].assign(objective_exponent=1.0, transfer=0.2, dot=0.8)
    found = frontier(arms(pd.concat([t, worse], ignore_index=True), JUDGED))
    assert found.set_index("setting")["on_frontier"].to_dict() == {
        "": True,
        "exponent=2": True,
        "exponent=4": True,
        "exponent=1": False,
    }


def test_the_board_compares_with_the_baseline() -> None:
    t = table()
    t.loc[t["objective"] == "dot_cosine", "transfer"] = 0.5 + 0.02 * t["direction_index"]
    found = board(choose(arms(t, JUDGED)), "dot").set_index("family")
    assert np.isnan(found["p"]["dot"])
    row = found.loc["dot_cosine"]
    assert row["difference"] == pytest.approx(0.57 - 0.105) and row["effect"] == 1
    assert row["p_holm"] < 0.05 and row["low"] < 0.57 < row["high"]


def test_families_name_penalty_and_space() -> None:
    rows = pd.DataFrame(
        {
            "objective": ["dot", "dot", "dot_cosine"],
            "penalty": ["none", "orthogonal", "none"],
            "space": ["plain", "plain", "whitened"],
        }
    )
    assert families(rows).tolist() == ["dot", "dot - orthogonal", "dot_cosine whitened"]


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown metric 'transfr'.*transfer"):
        arms(table(), Protocol(metric="transfr"))
    with pytest.raises(ValueError, match=r"unknown column 'objective_exponnt'.*objective_exponent"):
        arms(table(), Protocol(metric="transfer", settings=["objective_exponnt"]))
    with pytest.raises(ValueError, match="no job has a number in cosine"):
        arms(table(cosine=np.nan), Protocol(metric="cosine"))
    with pytest.raises(ValueError, match="needs two of them"):
        choose(arms(table().query("direction_index == 0"), JUDGED))
    with pytest.raises(ValueError, match="unknown baseline 'cosin'"):
        board(choose(arms(table(), JUDGED)), "cosin")


def test_the_command_judges_any_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: Any = table().reset_index(names="job").replace({np.nan: None}).to_dict("records")
    write_part(tmp_path, rows)
    consolidate(tmp_path)
    with pytest.raises(ValueError, match="give --metric"):
        main([str(tmp_path)])
    main([str(tmp_path), "--metric", "transfer", "--log-odds", "--settings", "objective_exponent"])
    assert len(pd.read_csv(tmp_path / "leaderboard.csv")) == 2
    assert len(pd.read_csv(tmp_path / "frontier.csv")) == 3
    assert (tmp_path / "frontier.png").stat().st_size > 5000
    said = capsys.readouterr().out
    assert "log odds of transfer" in said and "unequal numbers of settings" in said
