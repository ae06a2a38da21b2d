"""The report's file: what is in it, what it refuses, that nothing of a table is markup."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from report_cases import HOSTILE, write_reference_pictures, write_sweep

from sweeps.analysis.comparison import compare
from sweeps.report import main, report
from sweeps.results.labels import arm_labels, row_labels
from sweeps.results.report.curves import POINTS, encode_curves
from sweeps.results.table import COLUMNS, load_history
from sweeps.storage.location import Location

ASSETS = ROOT / "sweeps" / "results" / "report" / "assets"


def data_of(page: Location) -> dict[str, Any]:
    text = page.read_bytes().decode()
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    told: dict[str, Any] = json.loads(found)
    return told


def values(data: dict[str, Any], column: str) -> list[Any]:
    coded = data["columns"][column]
    return [coded["of"][code] for code in coded["codes"]]


def test_the_page_has_the_table_s_numbers_and_what_they_mean(tmp_path: Path) -> None:
    results = write_sweep(tmp_path, status={4: "failed"})
    data = data_of(report([tmp_path]))
    assert data["n"] == len(results) and data["keys"] == [str(job) for job in results["job"]]
    for metric in ("dot", "cosine"):
        given = [np.nan if v is None else v for v in data["numbers"][metric]]
        np.testing.assert_allclose(given, results[metric].astype(float), rtol=1e-5)
        assert data["meanings"][metric] == COLUMNS[metric]
    assert values(data, "@row") == row_labels(results).tolist()
    assert values(data, "@arm") == arm_labels(results).tolist()
    assert values(data, "status")[4] == "failed" and data["images"][4] is None
    assert data["constant"]["steps"] == 90 and "steps" not in data["settings"]
    assert data["columns"]["@direction"]["of"][-1] == "conv2:10"  # after conv2:3


def test_comparisons_are_those_of_compare(tmp_path: Path) -> None:
    results = write_sweep(tmp_path)
    told = data_of(report([tmp_path], metrics=["cosine", "dot"]))["compare"]
    assert told["baselines"] == arm_labels(results).unique().tolist()
    for baseline in told["baselines"]:
        for metric in ("cosine", "dot"):
            table = compare(results, told["by"], metric, baseline).set_index("arm")
            lines = [r for r in told["rows"] if (r["metric"], r["baseline"]) == (metric, baseline)]
            assert [line["arm"] for line in lines] == table.index.tolist()
            for line in lines:
                for name in ("difference", "low", "high", "p_holm", "effect", "pairs"):
                    assert line[name] == pytest.approx(table.loc[line["arm"], name])


def test_a_curve_is_the_history_s(tmp_path: Path) -> None:
    write_sweep(tmp_path, status={1: "failed"}, seeds=1)
    history = load_history(tmp_path)
    told = encode_curves(history, {job: job for job in range(15)})
    assert told["jobs"][1] is None
    steps, text, ranges = told["jobs"][14]
    assert len(told["steps"][steps]) == POINTS and told["steps"][steps][-1] == 89
    packed = np.frombuffer(base64.b64decode(text), "<u2").reshape(2, POINTS)
    own = history[history["job"] == 14].set_index("step").loc[told["steps"][steps]]
    for series, (low, high), name in zip(packed, ranges, told["series"], strict=True):
        np.testing.assert_allclose(low + (high - low) * series / 65534, own[name], atol=1e-4)


def test_curves_of_unequal_lengths_and_values_that_are_not_finite() -> None:
    history = pd.DataFrame(
        {"job": [7, 7, 7, 2, 2], "step": [2, 0, 1, 0, 1], "dot": [3.0, 1, np.nan, 5, 5]}
    )
    told = encode_curves(history, {2: 0, 7: 1})
    assert [told["steps"][job[0]] for job in told["jobs"]] == [[0, 1], [0, 1, 2]]
    packed = np.frombuffer(base64.b64decode(told["jobs"][1][1]), "<u2")
    assert packed.tolist() == [0, 65535, 65534] and told["jobs"][1][2] == [[1.0, 3.0]]
    assert told["jobs"][0][2] == [[5.0, 5.0]]


def test_no_text_of_a_table_is_markup(tmp_path: Path) -> None:
    results = write_sweep(tmp_path, HOSTILE, status={3: "failed"}, note=HOSTILE[0])
    page = report([tmp_path])
    text = page.read_text(encoding="utf-8")
    # The data hold no `<` at all, and what is not the data is the same for any table.
    (data,) = re.findall(r'id="data">(.*?)</script>', text, re.S)
    assert "<" not in data and data.isascii()
    assert "alert(" not in text.replace(data, "")
    assert values(data_of(page), "label") == results["label"].tolist()
    assert data_of(page)["constant"]["note"] == HOSTILE[0]


def test_a_directory_s_name_is_text_and_its_links_are_addresses(tmp_path: Path) -> None:
    directory = tmp_path / "<b>50% a#b ü?"
    write_sweep(directory, seeds=1)
    page = report([directory], tmp_path / "elsewhere.html")
    assert "<title>&lt;b&gt;50% a#b ü?</title>" in page.read_text(encoding="utf-8")
    assert data_of(page)["images"][0] == "%3Cb%3E50%25%20a%23b%20%C3%BC%3F/images/0.png"
    assert data_of(report([directory]))["images"][0] == "images/0.png"


def test_scripts_are_those_that_the_policy_allows(tmp_path: Path) -> None:
    write_sweep(tmp_path, seeds=1)
    text = report([tmp_path]).read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert len(scripts) == 2 and all(f"sha256-{digest}" in policy for digest in digests)
    assert "unsafe-eval" not in policy and "http" not in policy
    assert not re.findall(r"<(?:link|script|img)[^>]+(?:src|href)=", text)


@pytest.mark.slow
def test_two_builds_are_equal_and_small(tmp_path: Path) -> None:
    write_sweep(tmp_path, [f"conv2:{i}" for i in range(18)])
    first = report([tmp_path]).read_bytes()
    assert report([tmp_path]).read_bytes() == first
    assert len(first) < 500_000  # 108 jobs, pictures linked
    assert report([tmp_path], portable=True).read_bytes().count(b"data:image/webp;base64,") == 108


@pytest.mark.slow
def test_several_sweeps_are_one_page(tmp_path: Path) -> None:
    write_sweep(tmp_path / "a", seeds=1)
    write_sweep(tmp_path / "b" / "a", seeds=1, model="other")
    data = data_of(report([tmp_path / "a", tmp_path / "b" / "a"], tmp_path / "both.html"))
    assert data["n"] == 30 and data["columns"]["sweep"]["of"] == ["a", "a (2)"]
    assert data["keys"][15] == "a (2)/0" and data["images"][15] == "b/a/images/0.png"
    assert data["history"]["jobs"][15] is not None
    folder = data_of(report([tmp_path]))
    assert folder["columns"]["sweep"]["of"] == ["a", "b/a"]
    assert folder["images"][15] == "b/a/images/0.png"
    assert len(folder["columns"]["@arm"]["of"]) == 6  # the model is a part of the arm


def test_equal_sweeps_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for name in "ab":
        write_sweep(tmp_path / name, seeds=1)
    data = data_of(report([tmp_path]))
    assert "dot directory=b" in data["columns"]["@arm"]["of"]
    assert any(row["pairs"] == 5 for row in data["compare"]["rows"])


@pytest.mark.slow
def test_reference_pictures_are_beside_the_direction(tmp_path: Path) -> None:
    write_sweep(tmp_path, seeds=1)
    assert data_of(report([tmp_path]))["references"] is None
    write_reference_pictures(tmp_path, [0, 1])
    told = data_of(report([tmp_path]))["references"]
    assert [told["pictures"][i] for i in told["most"][1]] == [
        "reference_pictures/most0.png",
        "reference_pictures/most1.png",
    ]
    assert told["least"][0] == told["least"][1] and told["most"][2] == []


def test_a_sweep_of_which_nothing_came_through_has_a_page(tmp_path: Path) -> None:
    write_sweep(tmp_path, ["conv2:0"], seeds=1, status=dict.fromkeys(range(3), "failed"))
    data = data_of(report([tmp_path]))
    assert data["metrics"] == [] and data["images"] == [None] * 3
    assert data["compare"]["rows"] == [] and data["compare"]["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"metrics": ["dott"]}, "did you mean 'dot'|dot"),
        ({"baseline": "dit"}, "dot"),
        ({"output": Path("/proc/no/report.html")}, "cannot write"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    write_sweep(tmp_path, seeds=1)
    with pytest.raises(ValueError, match=said):
        report([tmp_path], **arguments)
    with pytest.raises(ValueError, match="holds no results"):
        report([tmp_path / "images"])


def test_the_command_line_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, seeds=1)
    main([str(tmp_path), "--metrics", "cosine", "--output", str(tmp_path / "page.html")])
    assert str(tmp_path / "page.html") in capsys.readouterr().out
    assert data_of(tmp_path / "page.html")["compare"]["metrics"] == ["cosine"]


def test_the_library_of_curves_is_the_one_that_was_looked_at() -> None:
    """UPlot 1.6.32 as npm has it."""
    known = {
        "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    }
    assert {n: hashlib.sha256((ASSETS / n).read_bytes()).hexdigest() for n in known} == known


@pytest.mark.slow
def test_the_page_knows_each_job_s_snapshots(tmp_path: Path) -> None:
    write_sweep(tmp_path, status={4: "failed"}, steps=90, snapshots=(16, 64, 90))
    told = data_of(report([tmp_path]))
    assert told["snapshots"]["steps"] == [16, 64, 90]
    early, _, last = told["snapshots"]["images"]
    assert early[3] == "images/3-step16.png" and early[4] is None
    assert last[3] == 0 and told["images"][3] == "images/3.png"  # the final picture
    assert "snapshot_images" not in told["columns"] and "snapshot_images" not in told["constant"]
    portable = data_of(report([tmp_path], tmp_path / "one.html", portable=True))
    assert portable["snapshots"]["images"][0][3].startswith("data:image/webp;base64,")
    write_sweep(tmp_path / "without")
    assert data_of(report([tmp_path / "without"]))["snapshots"] is None
