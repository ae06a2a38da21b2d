"""Which arm of a sweep is the best, and how certainly."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_cases import write_sweep

from sweeps.analysis.best import best_arm
from sweeps.analysis.comparison import compare
from sweeps.analysis.pairing import arm_names
from sweeps.results.better import better
from sweeps.results.table import METRICS


def test_the_best_arm_is_named_with_the_interval_to_the_next(tmp_path: Path) -> None:
    results = write_sweep(tmp_path)  # 5 directions; dot grows by about 1 from arm to arm
    found = best_arm(results, ["objective"], "dot")
    names = arm_names(results, ["objective"])
    assert found.rows.tolist() == (names == "dot_cosine").tolist()
    kept = results[names != "dot"]
    row = compare(kept, ["objective"], ["dot"], "cosine").iloc[0]
    low, high = f"{row['low']:.3g}", f"{row['high']:.3g}"
    best, paired = found.lines
    assert best == (
        f"best by dot: dot_cosine, {row['difference']:.3g} above cosine "
        f"(95 % interval [{low}, {high}] over 5 directions)"
    )
    assert paired == "paired by direction and seed: every arm with dot in all 10 jobs"


def test_where_less_is_better_the_least_is_best(tmp_path: Path) -> None:
    results = write_sweep(tmp_path)
    results["orthogonal"] = results["dot"]
    best, _ = best_arm(results, ["objective"], "orthogonal").lines
    assert best.startswith("best by orthogonal: dot, ") and "below cosine" in best


def test_chance_and_too_few_directions_are_said(tmp_path: Path) -> None:
    results = write_sweep(tmp_path / "many")
    results["cosine"] = np.random.default_rng(1).normal(size=len(results))
    assert "it may be chance" in best_arm(results, ["objective"], "cosine").lines[0]
    few = write_sweep(tmp_path / "few", labels=("a", "b"))
    assert "no interval over 2 directions" in best_arm(few, ["objective"], "dot").lines[0]


def test_what_is_not_paired_is_said(tmp_path: Path) -> None:
    results = write_sweep(tmp_path, status={1: "failed"})  # a job of cosine
    best, paired = best_arm(results, ["objective"], "dot").lines
    assert "dot_cosine" in best
    assert "dot_cosine with dot in all 10 jobs; cosine with dot in 9 jobs" in paired
    other = results[results["objective"] == "dot"].assign(objective="inversion", layer="conv9")
    both = pd.concat([results, other], ignore_index=True)
    assert "arms without any pair with dot: 1" in best_arm(both, ["objective"], "dot").lines[-1]


@pytest.mark.parametrize("change", [{"metric": "norm"}, {"objective_sign": -1}])
def test_without_a_known_direction_of_better_no_arm_is_the_best(
    change: dict[str, object], tmp_path: Path
) -> None:
    metric = str(change.pop("metric", "dot"))
    results = write_sweep(tmp_path).assign(norm=1.0, **change)  # type: ignore[arg-type]
    found = best_arm(results, ["objective"], metric)
    assert not found.rows.any() and len(found.lines) == 1


def test_every_metric_has_a_direction_or_none() -> None:
    nothing = pd.DataFrame()
    ways = {metric: better(nothing, metric) for metric in METRICS}
    assert ways["dot"] == "higher" and ways["orthogonal"] == "lower" and ways["norm"] is None
    assert better(nothing, "my_own") is None
