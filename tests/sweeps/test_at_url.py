"""A sweep whose results go to a URL has the table of a local one, and every command reads it."""

import uuid
from pathlib import Path

import pandas as pd
import pytest
from conftest import App

import sweeps
from fvjax.models.tiny import tiny
from sweeps import compare, figure
from sweeps.report import report
from sweeps.results.part_files import part_paths
from sweeps.results.parts import merge
from sweeps.results.table import write_part
from sweeps.storage.atomic import write_durably
from sweeps.storage.location import Location, file_sizes, locate

TIMES = ["seconds", "compile_seconds"]


@pytest.fixture
def url() -> Location:
    return locate(f"memory://{uuid.uuid4().hex}/sweep")


def row(job: int, **values: object) -> dict[str, object]:
    return {"job": job, "job_id": f"id{job}", "status": "ok", "image": None, **values}


def test_a_damaged_part_is_set_aside(url: Location) -> None:
    for job in range(3):
        write_part(url, [row(job, dot=0.5)])
    damaged = part_paths(url)[1]
    write_durably(damaged, damaged.read_bytes()[:-40])
    assert len(sweeps.load(url)) == 2
    assert len(merge(url)) == 2
    assert list(file_sizes(url / "parts" / "bad")) == [damaged.name]
    assert file_sizes(url).keys() == {"results.parquet"}
    assert not part_paths(url)


def test_parts_are_merged_as_they_grow(url: Location) -> None:
    for job in range(70):
        write_part(url, [row(job, dot=job / 2)])
    assert len(part_paths(url)) == 7
    assert sweeps.load(url, columns=["dot"])["dot"].tolist() == [job / 2 for job in range(70)]


def test_a_folder_of_sweeps_is_joined(url: Location) -> None:
    for name in ("a", "b/c"):
        write_part(url / name, [row(0)])
    assert sweeps.load(url)["sweep"].tolist() == ["a", "b/c"]
    with pytest.raises(ValueError, match=f"{url}/d holds no results"):
        sweeps.load(url / "d")


@pytest.mark.slow
def test_a_url_has_the_table_of_a_directory(url: Location, tmp_path: Path) -> None:
    settings = ["objective=dot,cosine", "seed=0,1", "steps=2", "metrics=none"]
    there = sweeps.run(settings, model=tiny(3), directory=str(url))
    here = sweeps.run(settings, model=tiny(3), directory=tmp_path / "sweep")
    pd.testing.assert_frame_equal(there.drop(columns=TIMES), here.drop(columns=TIMES))
    pd.testing.assert_frame_equal(sweeps.load(str(url)), there)
    for name in ("job", "step", "score"):
        histories = [sweeps.load_history(place)[name] for place in (url, tmp_path / "sweep")]
        pd.testing.assert_series_equal(*histories)
    pictures = {f"{job}.png" for job in range(4)}
    assert file_sizes(url / "images").keys() == pictures
    linked, elsewhere = report([url]), report([url], tmp_path / "page.html")
    assert linked == url / "report.html" and b"images/0.png" in linked.read_bytes()
    assert b"data:image/webp" in elsewhere.read_bytes()  # no link leads from a disk to a URL
    with pytest.raises(ValueError, match="holds results already"):
        sweeps.run(settings, model=tiny(3), directory=str(url))


def test_a_command_resumes_at_a_url(
    url: Location, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["-m", "model=tiny", "steps=2", "metrics=none", f"hydra.launcher.results={url}"]
    command += ["hydra.launcher.batch_size=2", "hydra.sweep.dir=one"]
    assert app(*command, "seed=0,1") == 0
    assert {"results.parquet", "sheet.png", "report.html", "multirun.yaml"} <= {*file_sizes(url)}
    assert {path.name for path in Path("one").iterdir()} == {"multirun.yaml"}
    assert app(*command, "seed=0,1,2") == 1
    assert "or choose another hydra.launcher.results" in capsys.readouterr().err
    command = [key for key in command if "batch_size" not in key and "sweep.dir" not in key]
    assert app(*command, "seed=0,1,2", "hydra.launcher.resume=true", "hydra.sweep.dir=two") == 0
    table = sweeps.load(url)
    assert table["attempt"].tolist() == [1, 1, 2] and {*table["batch_size"]} == {2}
    compare.main([str(url), "--by", "seed", "--metric", "final_score"])
    assert b"final_score" in (url / "compare_seed.csv").read_bytes()
    figure.main([str(url), "figure.png"])
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_single_job_goes_to_a_url(url: Location, app: App) -> None:
    assert app("model=tiny", "steps=2", "metrics=none", f"hydra.launcher.results={url}") == 0
    assert len(sweeps.load(url)) == 1


@pytest.mark.parametrize("mode", [(), ("-m",)])
def test_a_wrong_url_is_refused_before_anything_is_written(
    mode: tuple[str, ...], app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*mode, "model=tiny", "hydra.launcher.results=s33://bucket/sweep") == 1
    assert "error: s33://bucket/sweep has the scheme s33://" in capsys.readouterr().err
    assert not any(Path().iterdir())
