"""The leaderboard: settings chosen on other features, worlds, families, gaps and chance."""

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
from sweeps.leaderboard import main
from sweeps.results.table import consolidate, write_part
from sweeps.studies.planted import board, chance, cross_fitted_scores, families, matrix

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


def test_settings_are_chosen_on_the_other_half_of_the_features() -> None:
    """What suits the even features is all wrong for the odd ones: honest choosing must show it."""
    rows = cross_fitted_scores(table())
    mine = rows[(rows["family"] == "dot_cosine") & (rows["model_geometry"] == "skewed")]
    assert len(mine) == K and mine["purity"].max() < 0.2
    odd = mine[mine["direction_index"] % 2 == 1]
    assert set(odd["setting"]) == {"exponent=4"}  # the best one of the even features


def test_seeds_are_averaged_inside_a_feature() -> None:
    rows = cross_fitted_scores(table(seeds=3))
    mine = rows[(rows["family"] == "dot") & (rows["direction_index"] == 2)]
    np.testing.assert_allclose(mine["purity"], 0.1 + 0.01 + 0.002)


def test_the_board_has_gaps_intervals_and_comparisons() -> None:
    found = board(cross_fitted_scores(table()), "dot")
    assert len(found) == 4 and set(found["features"]) == {K}
    np.testing.assert_allclose(found["gap_objective"] + found["gap_optimizer"], 1 - found["purity"])
    base, other = (found[found["family"] == f].iloc[0] for f in ("dot", "dot_cosine"))
    assert np.isnan(base["p"]) and other["difference"] == pytest.approx(0, abs=1e-9)
    assert base["low"] < base["purity"] < base["high"]
    wide = matrix(found, "purity")
    assert wide.columns.tolist() == ["orthogonal", "skewed 0.5"]
    assert wide.loc["dot", "orthogonal"] == pytest.approx(base["purity"])


def test_an_image_without_content_counts_as_no_purity() -> None:
    t = table()
    t.loc[(t["objective"] == "dot") & (t["direction_index"] < 4), "purity"] = np.nan
    mine = board(cross_fitted_scores(t), "dot").iloc[0]
    assert mine["purity"] == pytest.approx(0.5 * (0.1 + 0.005 + 0.0055), abs=1e-3)


def test_chance_is_the_share_in_other_features_pictures() -> None:
    t = table(seeds=1)
    rows = t[(t["objective"] == "dot") & (t["model_geometry"] == "skewed")]
    content_ = np.array(rows["content"].tolist())
    shares = content_ / content_.sum(1, keepdims=True)
    expected = np.delete(shares[:, 3], 3).mean()
    assert chance(rows).iloc[3] == pytest.approx(expected)


def test_families_name_penalty_and_space() -> None:
    rows = pd.DataFrame(
        {
            "objective": ["dot", "dot", "dot_cosine"],
            "penalty": ["none", "orthogonal", "none"],
            "space": ["plain", "plain", "whitened"],
        }
    )
    assert families(rows).tolist() == ["dot", "dot - orthogonal", "dot_cosine whitened"]


def test_other_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a sweep of model=planted"):
        cross_fitted_scores(table().drop(columns="purity"))
    with pytest.raises(ValueError, match="unknown baseline 'cosin'"):
        board(cross_fitted_scores(table()), "cosin")
    with pytest.raises(ValueError, match="needs two of them"):
        cross_fitted_scores(table().query("direction_index == 0"))


def test_the_command_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: Any = table().reset_index(names="job").replace({np.nan: None}).to_dict("records")
    write_part(tmp_path, rows)
    consolidate(tmp_path)
    main([str(tmp_path)])
    assert len(pd.read_csv(tmp_path / "leaderboard.csv")) == 4
    assert (tmp_path / "leaderboard.png").stat().st_size > 5000
    assert "share recovered" in capsys.readouterr().out


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
