"""`table.sweeps` draws figures of a table's jobs, by the code of the commands."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_cases import write_sweep

import sweeps
from sweeps.analysis.comparison import compare

LABELS = ("conv2:0", "conv2:1", "conv2:2", "conv2:3", "conv2:10")


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    write_sweep(tmp_path, status={4: "failed"}, steps=12)
    return sweeps.load(tmp_path)


def pictures(figure: object) -> list[object]:
    return [axis for axis in figure.axes if axis.images]  # type: ignore[attr-defined]


def test_matplotlib_is_imported_when_a_figure_is_drawn() -> None:
    code = "import sys, sweeps, pandas; pandas.DataFrame.sweeps; print('matplotlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_a_table_without_jobs_is_refused_in_one_sentence(table: pd.DataFrame) -> None:
    with pytest.raises(AttributeError, match="no column 'job'"):
        pd.DataFrame({"a": [1]}).sweeps  # noqa: B018
    with pytest.raises(ValueError, match="no jobs"):
        table.head(0).sweeps.images()


def test_images_come_in_the_table_s_order_and_a_notebook_shows_them(table: pd.DataFrame) -> None:
    jobs = table[table["seed"] == 0].head(5)
    figure = jobs.sweeps.images("dot", columns=2, pixels=48)
    drawn = pictures(figure)
    assert len(figure.axes) == 6 and len(drawn) == 5
    texts = [axis.get_xlabel().replace("\n", " ") for axis in drawn]  # type: ignore[attr-defined]
    assert [text.split()[0] for text in texts] == jobs["label"].tolist()
    assert f"dot {jobs['dot'].iloc[0]:.3g}" in texts[0]
    with Image.open(io.BytesIO(figure._repr_png_())) as shown:
        assert shown.format == "PNG" and shown.height > shown.width / 2


def test_a_sheet_has_the_rows_and_columns_that_are_named(table: pd.DataFrame) -> None:
    figure = table[table["seed"] == 1].sweeps.sheet("label", "objective", "cosine", pixels=80)
    heads = [axis.get_title() for axis in figure.axes[:3]]
    assert heads == ["cosine", "dot", "dot_cosine"]
    names = [axis.texts[0].get_text() for axis in figure.axes[::3]]
    assert names == list(LABELS)
    assert len(pictures(figure)) == 15
    with pytest.raises(ValueError, match="share a cell"):
        table.sweeps.sheet("label", "objective")
    with pytest.raises(ValueError, match="did you mean objective"):
        table.sweeps.sheet("label", "objectiv")
    assert len(table.sweeps.sheet(["label", "seed"], "objective").axes) == 30
    assert len(table.sweeps.sheet().axes) == 30


def test_curves_are_the_history_s(table: pd.DataFrame, tmp_path: Path) -> None:
    figure = table.sweeps.curves(by="objective")
    (axis,) = figure.axes
    thick = {line.get_label(): line for line in axis.lines if line.get_linewidth() == 2}
    assert list(thick) == ["dot", "cosine", "dot_cosine"]
    history = sweeps.load_history(tmp_path)
    mine = history[history["job"].isin(table.loc[table["objective"] == "dot", "job"])]
    np.testing.assert_allclose(
        thick["dot"].get_ydata(), mine.groupby("step")["score"].mean(), rtol=1e-6
    )
    chosen = table[table["objective"] == "dot"].sweeps.curves("dot", "objective", history)
    assert len(chosen.axes[0].lines) == 10 + 1
    with pytest.raises(ValueError, match="did you mean score"):
        table.sweeps.curves("scor")
    table.attrs.clear()
    with pytest.raises(ValueError, match="load_history"):
        table.sweeps.curves()


def test_a_scatter_has_a_picture_at_each_point(table: pd.DataFrame) -> None:
    figure = table.sweeps.scatter("dot", "cosine", by="objective", pixels=24)
    (axis,) = figure.axes
    ok = table[table["status"] == "ok"]
    assert sorted(box.xy for box in axis.artists) == sorted(
        zip(ok["dot"], ok["cosine"], strict=True)
    )
    assert len(axis.get_legend().get_texts()) == 3
    with pytest.raises(ValueError, match="unknown y 'cosin'"):
        table.sweeps.scatter("dot", "cosin")


def test_differences_are_those_of_compare(table: pd.DataFrame) -> None:
    figure = table.sweeps.compare("objective", ["dot", "cosine"], baseline="dot")
    numbers = compare(table, "objective", ["dot", "cosine"], "dot")
    assert len(figure.axes) == 2
    for axis, metric in zip(figure.axes, ("dot", "cosine"), strict=True):
        marks = [float(line.get_xdata()[0]) for line in axis.lines if line.get_marker() == "o"]
        assert marks == pytest.approx(numbers.loc[numbers["metric"] == metric, "difference"])
        assert axis.get_title().startswith(metric)
    figure.canvas.draw()


def test_a_table_of_several_sweeps_has_curves(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_sweep(tmp_path / name, seeds=1, steps=5)
    table = sweeps.load(tmp_path)
    (axis,) = table.sweeps.curves(by=["sweep", "objective"]).axes
    assert len(axis.lines) == 30 + 6
