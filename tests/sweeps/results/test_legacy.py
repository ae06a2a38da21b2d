"""Tables that the code of before version 0.2 wrote are read under today's names."""

from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

import sweeps
from sweeps.analysis.comparison import compare
from sweeps.results.legacy import rename_columns
from sweeps.results.table import METRICS

OLD = ROOT / "tests" / "data" / "before_0_2"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return sweeps.load(OLD)


def test_columns_have_todays_names(table: pd.DataFrame) -> None:
    assert {"initial_score", "final_score", "reference_z", "batch_size", "image_height"} <= {*table}
    assert not {"first_score", "score", "natural_z", "chunk", "size", "image_count"} & {*table}
    later = {"grating_purity", "grating_strength"}  # metrics that the old code did not measure
    assert {*METRICS} - later <= {*table}
    assert {"reference_images", "model_severity", "parameterization_decay_power"} <= {*table}
    assert (table["image_height"] == table["image_width"]).all()


def test_options_have_todays_names(table: pd.DataFrame) -> None:
    assert {*table["direction"]} == {"preferred_label", "feature_image", "interpolation_path"}
    assert {*table["penalty_unit"].dropna()} == {"reference_std", "raw"}
    assert {*table["judge"].dropna()} == {"texturenet_judge"}
    assert {*table["metrics_optimized_metric"]} == {"dot", "final_score"}


def test_old_tables_can_be_compared() -> None:
    seeds = sweeps.load(OLD / "a")
    found = compare(seeds, by="seed", metrics="final_score")
    assert found["pairs"].tolist() == [1]


def test_a_table_of_today_is_left_alone(tmp_path: Path) -> None:
    today = pd.DataFrame({"final_score": [1.0], "direction": ["path"]})
    assert rename_columns(today) is today
