"""The leaderboard of planted features: worlds, blank pictures, optima and chance."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import fvjax
from fvjax.metrics.ground_truth import GroundTruth, content, ground_truth_metrics, relative
from fvjax.metrics.ideal_optimum import optimum, planted_activations
from fvjax.models.planted import planted
from sweeps.analysis.board import board
from sweeps.analysis.cross_fitting import arms, choose
from sweeps.leaderboard import main, notes
from sweeps.results.table import consolidate, write_part
from sweeps.studies.planted import chance, matrix, prepared, protocol_of, with_worlds

K = 8


def table(seeds: int = 2) -> pd.DataFrame:
    """dot is bad everywhere; dot_cosine is pure at exponent 4 for even features, at 2 for odd."""
    rows = []
    for geometry, severity in (("orthogonal", 0.0), ("skewed", 0.5)):
        for objective, exponents in (("dot", (np.nan,)), ("dot_cosine", (2.0, 4.0))):
            for exponent in exponents:
                for feature in range(K):
                    for seed in range(seeds):
                        good = {2.0: feature % 2 == 1, 4.0: feature % 2 == 0}.get(exponent, False)
                        purity = (0.9 if good else 0.1) + 0.01 * seed + 0.001 * feature
                        shares = np.full(K, 0.5 * (1 - purity) / (K - 1))
                        shares[feature] = 0.5 * purity
                        rows.append(
                            {
                                "status": "ok",
                                "model_geometry": geometry,
                                "model_severity": severity,
                                "objective": objective,
                                "objective_exponent": exponent,
                                "penalty": "none",
                                "space": "plain",
                                "direction_index": feature,
                                "seed": seed,
                                "label": f"mixed:feature {feature}",
                                "purity": purity,
                                "recovered": float(good),
                                "strength": 0.7,
                                "decoys": 0.2,
                                "optimum_purity": 0.95,
                                "best_reference_purity": 0.3,
                                "best_reference_recovered": 0.0,
                                "content": shares.tolist(),
                            }
                        )
    return pd.DataFrame(rows)


def judged(results: pd.DataFrame, baseline: str = "dot") -> tuple[pd.DataFrame, pd.DataFrame]:
    """The chosen arms, and the board."""
    rows = prepared(results)
    protocol = protocol_of(rows)
    chosen = choose(arms(rows, protocol))
    return chosen, with_worlds(board(chosen, baseline, protocol.beside), rows, protocol)


def test_the_board_of_planted_features_has_worlds_and_ranges_of_optima() -> None:
    _, found = judged(table())
    assert len(found) == 4 and set(found["clusters"]) == {K}
    wide = matrix(found, "metric")
    assert wide.columns.tolist() == ["orthogonal", "skewed 0.5"]
    base = found[found["family"] == "dot"].iloc[0]
    assert wide.loc["dot", "orthogonal"] == pytest.approx(base["metric"])
    dot = found[(found["family"] == "dot") & (found["condition"] == "skewed 0.5")].iloc[0]
    assert dot["optimum_low"] == dot["optimum_high"] == pytest.approx(1 / 32)
    assert found[found["family"] == "dot_cosine"]["optimum_low"].isna().all()


def test_a_picture_of_hardly_any_content_is_blank_and_never_of_purity_0() -> None:
    t = table()
    t.loc[(t["objective"] == "dot") & (t["direction_index"] < 4), "strength"] = 0.04
    base = judged(t)[1].iloc[0]
    assert base["metric"] == pytest.approx(0.1 + 0.005 + 0.0055) and base["blank"] == 8


def test_worlds_are_the_clusters_where_there_are_several() -> None:
    worlds = [table(seeds=1).assign(model_world=w) for w in range(4)]
    t = pd.concat(worlds, ignore_index=True)
    t = t[(t["model_geometry"] == "skewed") | (t["model_world"] == 0)]
    chosen, found = judged(t)
    assert found.set_index("condition")["clusters"].to_dict() == {"orthogonal": K, "skewed 0.5": 4}
    assert set(chosen[chosen["condition"].str.contains("skewed")]["pictures"]) == {K}


def test_a_penalty_that_is_told_the_features_comes_last() -> None:
    t = table()
    told = t[t["objective"] == "dot"].assign(penalty="previous")
    found = judged(pd.concat([told, t], ignore_index=True))[1]
    assert found["told"].tolist() == [False] * 4 + [True] * 2
    assert "dot - previous is told the true features" in " ".join(notes(found, {"dot": 1}))


def test_chance_is_the_share_in_other_features_pictures() -> None:
    t = table(seeds=1)
    rows = t[(t["objective"] == "dot") & (t["model_geometry"] == "skewed")]
    content_ = np.array(rows["content"].tolist())
    shares = content_ / content_.sum(1, keepdims=True)
    expected = np.delete(shares[:, 3], 3).mean()
    assert chance(rows).iloc[3] == pytest.approx(expected)


def test_the_command_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: Any = table().reset_index(names="job").replace({np.nan: None}).to_dict("records")
    write_part(tmp_path, rows)
    consolidate(tmp_path)
    main([str(tmp_path)])
    assert len(pd.read_csv(tmp_path / "leaderboard.csv")) == 4
    frontier = pd.read_csv(tmp_path / "frontier.csv")
    assert len(frontier) == 6 and set(frontier["condition"]) == {"orthogonal", "skewed 0.5"}
    for name in ("leaderboard.png", "frontier.png"):
        assert (tmp_path / name).stat().st_size > 5000
    said = capsys.readouterr().out
    assert "share recovered" in said and "unequal numbers of settings" in said


SKEWED = planted(geometry="skewed", severity=0.5, orientations=4)
FEATURES = SKEWED.layers["features"][-1]


def truth(maps: Any = None) -> GroundTruth:
    overlapping = 0.9 * jnp.eye(FEATURES) + 0.1 * jnp.roll(jnp.eye(FEATURES), 1, 1)
    return GroundTruth(
        grey=jnp.zeros(FEATURES), oracle=0.8 * jnp.eye(FEATURES), gratings=overlapping, maps=maps
    )


def direction(k: int) -> fvjax.Direction:
    return fvjax.Direction(vector=SKEWED.weights["mixing"][k], layer="mixed")


@pytest.mark.slow
def test_an_image_is_judged_beside_the_optimum_and_the_best_reference() -> None:
    image = jax.random.uniform(jax.random.key(0), (40, 40, 3))
    maps = jax.random.uniform(jax.random.key(1), (5, 3, 3, FEATURES + 4))
    maps = maps.at[2, ..., 7].set(1.0).at[2, ..., :7].set(0.0).at[2, ..., 8:].set(0.0)
    found = jax.jit(ground_truth_metrics)(
        SKEWED, fvjax.Cosine(), direction(7), image, truth(maps), 7
    )
    mine = content(SKEWED(image), None)
    expected = relative(mine, truth().grey, truth().oracle)
    np.testing.assert_allclose(found["content"], expected, rtol=1e-4)
    assert float(found["strength"]) == pytest.approx(float(expected[7]), rel=1e-4)
    assert float(found["grating_strength"]) == pytest.approx(float(mine[7] / 0.9), rel=1e-4)
    share, overlap = float(mine[7] / mine.sum()), 0.9 / (0.9 + 0.1)
    assert float(found["grating_purity"]) == pytest.approx(share / overlap, rel=1e-3)
    assert float(found["optimum_purity"]) == pytest.approx(1, abs=1e-3)
    assert (
        float(found["best_reference_purity"]) == pytest.approx(1)
        and found["best_reference_recovered"] == 1
    )
    found_dot = jax.jit(ground_truth_metrics)(
        SKEWED, fvjax.Dot(), direction(7), image, truth(maps), 7
    )
    assert float(found_dot["optimum_purity"]) == pytest.approx(1 / FEATURES, rel=1e-3)
    assert float(found_dot["best_reference_purity"]) < 0.2  # the one with most of everything


def test_what_reads_the_image_has_no_optimum_on_paper() -> None:
    image = jnp.full((40, 40, 3), 0.5)
    score = fvjax.Dot() - 0.1 * fvjax.TotalVariation()
    found = ground_truth_metrics(SKEWED, score, direction(0), image, truth(), 0)
    assert np.isnan([found["optimum_purity"], found["best_reference_purity"]]).all()
    assert np.isnan(found["purity"])  # grey: no content at all


@pytest.mark.slow
def test_a_whitened_world_has_its_optimum_too() -> None:
    matrix_ = np.linalg.inv(np.asarray(SKEWED.weights["mixing"][:FEATURES]))
    white = fvjax.with_affine_layer(
        SKEWED, layer="mixed", matrix=matrix_, mean=np.zeros(FEATURES), name="whitened"
    )
    there = fvjax.Direction(vector=jax.nn.one_hot(3, FEATURES), layer="mixed@whitened")
    best = optimum(white, fvjax.DotCosine(exponent=2.0, floor=0.1), there)
    np.testing.assert_allclose(best.features, np.eye(FEATURES)[3], atol=0.02)
    shown = planted_activations(white, jnp.zeros((1, 1, FEATURES + 4)).at[..., 3].set(1.0))
    np.testing.assert_allclose(shown["mixed@whitened"][0, 0], np.eye(FEATURES)[3], atol=1e-5)
