"""Other programs read a sweep's table: Hugging Face's datasets, polars and DuckDB."""

import io
from pathlib import Path

import pytest
from PIL import Image
from report_cases import write_sweep

import sweeps


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_sweep(tmp_path, status={1: "failed"}, steps=6, snapshots=[2, 4])
    return tmp_path


def test_datasets_shows_pictures_without_a_cast(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    file = str(directory / "results.parquet")
    read = datasets.load_dataset("parquet", data_files=file, cache_dir=str(tmp_path / "cache"))
    rows = read["train"]
    assert isinstance(rows.features["image"], datasets.Image)
    table = sweeps.load(directory)
    assert len(rows) == len(table) and rows[1]["image"] is None
    picture = rows[0]["image"]
    with Image.open(io.BytesIO(table["image"].iloc[0]["bytes"])) as expected:
        assert picture.size == expected.size and picture.getpixel((3, 3)) == expected.getpixel(
            (3, 3)
        )
    snapshots = rows[0]["snapshot_images"]
    assert [one["step"] for one in snapshots] == [2, 4]
    assert snapshots[1]["bytes"] == table["snapshot_images"].iloc[0][1]["bytes"]
    assert rows[0]["history"]["score"][-1] == pytest.approx(table["dot"].iloc[0], rel=1e-5)


def test_polars_reads_every_column(directory: Path) -> None:
    polars = pytest.importorskip("polars")
    table, read = sweeps.load(directory), polars.read_parquet(directory / "results.parquet")
    assert read["dot"].to_list()[2] == table["dot"].iloc[2]
    assert read["image"].struct.field("bytes")[0] == table["image"].iloc[0]["bytes"]
    best = read.filter(polars.col("status") == "ok").group_by("objective").agg(polars.mean("dot"))
    means = table[table["status"] == "ok"].groupby("objective")["dot"].mean()
    assert dict(best.iter_rows()) == pytest.approx(means.to_dict())


def test_duckdb_queries_the_file(directory: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    file, table = directory / "results.parquet", sweeps.load(directory)
    query = "select objective, avg(dot) from read_parquet(?) where status = 'ok' group by 1"
    with duckdb.connect() as connection:
        found = dict(connection.execute(query, [str(file)]).fetchall())
        (content,) = connection.execute(
            "select image.bytes from read_parquet(?) where job = 0", [str(file)]
        ).fetchone()
    means = table[table["status"] == "ok"].groupby("objective")["dot"].mean()
    assert found == pytest.approx(means.to_dict())
    assert content == table["image"].iloc[0]["bytes"]
