"""The contact sheet and the summary, from tables made by hand: no job is merged or lost unsaid."""

import datetime
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_cases import write_sweep
from rich.console import Console

from sweeps import figure
from sweeps.results import contact_sheet as sheet
from sweeps.results import picture_grid
from sweeps.results.contact_sheet import write_sheet
from sweeps.results.indexed_canvas import EMPTY, MARKS
from sweeps.results.labels import arm_labels, row_labels, wrap_label
from sweeps.results.sheet_drawing import Block, draw
from sweeps.results.summary import summary

NUMBERS = {"final_score": 1.0, "dot": 2.0, "cosine": 0.5, "orthogonal": 0.1}


def png(grey: int = 50) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (grey, grey, grey)).save(buffer, format="png")
    return {"bytes": buffer.getvalue(), "path": "images/0.png"}


def table(**columns: list[Any]) -> pd.DataFrame:
    """As many jobs as the lists are long, equal but for these columns."""
    same: dict[str, Any] = {"status": "ok", "model": "tiny", "direction": "channel"}
    same |= {"objective": "dot"}
    same |= {"penalty": "none", "layer": "conv2", "label": "conv2:0", "seed": 0}
    same |= {"image_height": 16, "image_width": 16}
    jobs = len(next(iter(columns.values())))
    whole = {name: [value] * jobs for name, value in (same | NUMBERS).items()}
    return pd.DataFrame({"image": [png() for _ in range(jobs)]} | whole | columns)


def printed(results: pd.DataFrame, width: int = 200) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(summary(results))
    return console.export_text()


ROWS: dict[str, dict[str, list[Any]]] = {
    "files of one name": {"direction_path": ["a/cat.jpg", "b/cat.jpg"]},
    "generated seeds": {"direction_seed": [0, 4294967295.0]},
    "null in some": {"direction_name": [None, "decoder"]},
    "options": {"direction": ["channel", "photo"]},
    "layers": {"layer": ["conv1", "conv2"]},
    "labels": {"label": ["conv2:0", "conv2:1"]},
    "seeds": {"seed": [0, 1]},
}
ARMS: dict[str, dict[str, list[Any]]] = {
    "options": {"objective": ["dot", "cosine"]},
    "no penalty": {"penalty": ["none", "orthogonal"]},
    "keys of an option": {"objective_exponent": [1.0, 2.0]},
    "null in some": {"objective_exponent": [None, 2.0]},
    "near numbers": {"learning_rate": [0.12345678, 0.12345679]},
    "models": {"model": ["tiny", "texturenet"]},
    "sizes": {"image_height": [16, 32]},
    "keys of the user": {"note": ["a", "b"]},
    "null keys of the user": {"note": [None, "$a$_$"]},  # no mathematics of Matplotlib's
    "groups of the user": {"mine": [None, None], "mine_x": [None, 1]},
    "engines": {"engine_name": ["inline", "other"]},
}


@pytest.mark.parametrize("columns", ROWS.values(), ids=ROWS)
def test_what_belongs_to_the_direction_makes_rows(columns: dict[str, list[Any]]) -> None:
    results = table(**columns)
    assert row_labels(results).nunique() == 2 and arm_labels(results).nunique() == 1


@pytest.mark.parametrize("columns", ARMS.values(), ids=ARMS)
def test_every_other_key_that_differs_makes_columns(
    columns: dict[str, list[Any]], tmp_path: Path
) -> None:
    results = table(**columns)
    assert row_labels(results).nunique() == 1 and arm_labels(results).nunique() == 2
    assert write_sheet(results, tmp_path / "sheet.png") == 0


def test_names_say_no_more_than_what_differs() -> None:
    assert set(row_labels(table(seed=[0, 0]))) == {"conv2:0"} and set(
        arm_labels(table(seed=[0, 0]))
    ) == {"dot"}
    results = table(
        label=["a", "b", "b"],
        direction_path=["1/a", "1/b", "2/b"],
        objective=["dot", "dot_cosine", "dot_cosine"],
        objective_exponent=[None, 1.0, 2.0],
        objective_floor=[None, 0.1, 0.1],
    )
    assert list(row_labels(results)) == ["a", "b direction.path=1/b", "b direction.path=2/b"]
    assert list(arm_labels(results)) == ["dot", "dot_cosine exponent=1", "dot_cosine exponent=2"]


def test_what_an_experiment_gives_each_model_is_no_difference_of_arms() -> None:
    own = table(model=["tiny", "texturenet"], steps=[64, 128])
    assert list(arm_labels(own)) == ["dot tiny", "dot texturenet"]
    swept = table(model=["tiny", "texturenet", "texturenet"], steps=[64, 64, 128])
    arms = ["dot tiny", "dot texturenet steps=64", "dot texturenet steps=128"]
    assert sorted(arm_labels(swept)) == sorted(arms)


@pytest.mark.parametrize(
    ("columns", "hidden"),
    [
        ({"label": [f"conv2:{i}" for i in range(5)]}, 2),
        ({"note": list("abcd")}, 2),
        ({"job_id": list("abcd")}, 3),  # what differs is in no column of the config
        ({"label": ["a", "b", "c"]}, 0),
    ],
)
def test_jobs_that_are_not_shown_are_counted(
    columns: dict[str, list[Any]], hidden: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "_MOST", (2, 3))
    drawn = drawings(monkeypatch)
    assert write_sheet(table(**columns), tmp_path / "sheet.png") == hidden
    (_, lines), said = drawn[0], f"{hidden} jobs not shown; all are in results.parquet"
    assert (said in lines) == (hidden > 0)


def drawings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Block], list[str]]]:
    """What the sheets of a test are drawn from: blocks, and lines of the title."""
    drawn: list[tuple[list[Block], list[str]]] = []

    def note(blocks: list[Block], lines: list[str], side: int) -> Image.Image:
        drawn.append((blocks, lines))
        return draw(blocks, lines, side)

    monkeypatch.setattr(sheet, "draw", note)
    return drawn


def test_two_networks_without_a_common_row_make_two_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = drawings(monkeypatch)
    results = table(
        model=["tiny"] * 4 + ["texturenet"] * 2,
        label=["a", "a", "b", "b", "c", "c"],
        objective=["dot", "cosine"] * 3,
        status=["ok"] * 5 + ["dead"],
    )
    assert write_sheet(results, tmp_path / "sheet.png") == 0
    blocks = [(block.title, block.rows, block.columns) for block in drawn[0][0]]
    assert blocks == [
        ("tiny", ["a", "b"], ["dot", "cosine"]),
        ("texturenet", ["c"], ["dot", "cosine"]),
    ]


def test_the_title_and_the_captions_say_what_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = drawings(monkeypatch)
    results = table(
        seed=[0, 1, 0, 1],
        objective=["dot", "dot", "cosine", "cosine"],
        status=["ok", "failed", "diverged", "ok"],
        steps=[64] * 4,
        dot=[0.12345, None, 2, -1e-5],
        metrics_optimized_metric=["dot"] * 4,
    )
    assert write_sheet(results, tmp_path / "sheet.png", "python -m sweeps -m seed=0,1") == 0
    ((block,), lines), today = drawn[0], f"{datetime.date.today():%Y-%m-%d}"
    assert lines == [
        f"tiny, 64 steps, {today}",
        "python -m sweeps -m seed=0,1",
        "below each picture: dot; side by side: seeds 0, 1",
    ]
    captions = {place: [t.caption for t in cell if t] for place, cell in block.cells.items()}
    assert captions == {(0, 0): ["0.123", "failed"], (0, 1): ["diverged 2", "-1e-05"]}


def test_a_job_that_was_not_run_is_neither_failed_nor_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = drawings(monkeypatch)
    results = table(label=["a", "a", "b"], objective=["dot", "cosine", "dot"])
    path = tmp_path / "sheet.png"
    write_sheet(results, path)
    assert drawn[0][0][0].cells[1, 1] == [None]
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert (pixels == EMPTY).all(-1).sum() > 0.9 * 128**2


def test_small_pictures_are_enlarged_to_squares_and_large_ones_fit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for side, shown in ((16, 128), (60, 120), (100, 100), (300, 160)):
        picture = random.choice([0, 255], (side, side, 1)).astype(np.uint8).repeat(3, 2)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="png")
        image = {"bytes": buffer.getvalue(), "path": "images/0.png"}
        write_sheet(
            table(image=[image], image_height=[side], image_width=[side]), tmp_path / "one.png"
        )
        pixels = np.asarray(Image.open(tmp_path / "one.png").convert("L"))
        if side <= 100:
            large = picture[..., 0].repeat(shown // side, 0).repeat(shown // side, 1)
            windows = np.lib.stride_tricks.sliding_window_view(pixels, large.shape)
            assert any((window == large).all() for row in windows for window in row)
        assert pixels.shape[1] < shown + 300


def test_a_hundred_pictures_weigh_little(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = []
    for _ in range(108):  # smooth noise, in colours of its own
        rough = random.uniform(0, 255, (8, 8, 3)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(rough).resize((128, 128), Image.Resampling.BICUBIC).save(buffer, "png")
        images.append({"bytes": buffer.getvalue(), "path": "images/0.png"})
    results = table(
        image=images,
        label=[f"conv2:{i // 9}" for i in range(108)],
        note=[str(i % 9) for i in range(108)],
        image_height=[128] * 108,
        image_width=[128] * 108,
    )
    assert write_sheet(results, tmp_path / "sheet.png") == 0
    assert (tmp_path / "sheet.png").stat().st_size < 1.5e6
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.mode == "P"


@pytest.mark.parametrize("status", ["ok", "failed", "diverged", "dead", "collapsed"])
@pytest.mark.parametrize("picture", [True, False])
def test_marks_are_where_a_job_was_not_ok(status: str, picture: bool, tmp_path: Path) -> None:
    if status == "ok" and not picture:
        return
    image = png() if picture else None
    results = table(seed=[0, 1], status=["ok", status], image=[png(), image])
    path = tmp_path / "sheet.png"
    write_sheet(results, path)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    seen = {s: int((pixels == colour).all(-1).sum()) for s, colour in MARKS.items()}
    assert [s for s, count in seen.items() if count > 100] == [s for s in seen if s == status]
    greys = int((pixels == 50).all(-1).sum())
    assert greys >= (2 if picture else 1) * 128**2  # a frame leaves the picture whole


def test_the_summary_says_what_its_means_leave_out() -> None:
    status = ["ok", "diverged", "failed", "diverged", "ok"]
    results = table(
        status=status, final_score=[1.0, 5.0, None, 5.0, 3.0], objective=["dot"] * 4 + ["cosine"]
    )
    lines = [" ".join(line.replace("│", " ").split()) for line in printed(results).splitlines()]
    assert "dot 4 2 diverged, 1 failed 1 2 0.5 0.1" in lines
    assert "cosine 1 3 2 0.5 0.1" in lines


@pytest.mark.parametrize("optimized_metric", [None, "rank", "robust_dot", "final_score"])
def test_a_sweep_without_metrics_ends_in_a_summary(
    optimized_metric: str | None, tmp_path: Path
) -> None:
    results = table(status=["failed"] * 2, image=[None] * 2, note=["[a]", "[bold]"])
    results = results.drop(columns=[*NUMBERS]).assign(
        metrics_optimized_metric=optimized_metric, rank=None
    )
    text = printed(results)
    assert "2 failed" not in text and text.count("1 failed") == 2 and "[bold]" in text
    assert write_sheet(results, tmp_path / "sheet.png") == 0


def test_the_summary_shows_the_headline() -> None:
    results = table(metrics_optimized_metric=["robust_dot"] * 2, robust_dot=[0.25, 0.75])
    assert "robust_dot" in printed(results) and "0.5" in printed(results)


def test_eighty_letters_hold_every_value_of_four_axes() -> None:
    results = table(
        objective=["dot_cosine"] * 4,
        objective_exponent=[1.0, 1.0, 2.0, 2.0],
        learning_rate=[0.05, 0.0125, 0.05, 0.0125],
        penalty=["orthogonal", "total_variation", "orthogonal", "total_variation"],
        transform=["standard", "jitter", "jitter", "standard"],
        status=["ok", "diverged", "ok", "ok"],
        final_score=[-1.23e-05] * 4,
        metrics_optimized_metric=["centroid_margin"] * 4,
        centroid_margin=[-1.23e-05] * 4,
    )
    text = printed(results, width=80)
    words = text.replace("│", " ").split()
    for word in (
        "total_variation",
        "learning_rate=0.0125",
        "exponent=2",
        "standard",
        "diverged",
        "centroid_",
        "margin",
    ):
        assert word in words
    assert words.count("-1.23e-05") == 6 and "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_summary_says_where_its_means_are_over_different_directions() -> None:
    labels, arm = ["a", "b", "a", "b"], ["dot", "dot", "cosine", "cosine"]
    notice = "not over the same directions and seeds"
    assert notice not in printed(table(label=labels, objective=arm))
    assert notice in printed(table(label=["a", "b", "a", "c"], objective=arm))
    missing = table(label=labels, objective=arm, status=["ok", "ok", "ok", "diverged"])
    assert notice in printed(missing)


def test_a_summary_is_short_and_says_what_it_leaves_out() -> None:
    rates = [round(0.01 * (i + 1), 2) for i in range(100)]
    text = printed(table(learning_rate=rates, objective=["dot"] * 100))
    assert len(text.splitlines()) < 60 and "and 60 more" in text
    assert "0.01" in text and "0.99" not in text


def test_a_label_keeps_to_its_place() -> None:
    path = "/".join(["a folder with a long name"] * 20) + "/the_cat.jpg"
    lines = wrap_label(f"conv4 {path}", 30).splitlines()
    assert len(lines) <= 8 and max(map(len, lines)) <= 30
    assert lines[0].startswith("conv4") and lines[-1].endswith("cat.jpg") and "..." in lines
    assert wrap_label("dot_cosine exponent=2", 30) == "dot_cosine exponent=2"


def test_letters_that_the_font_lacks_are_no_warning(tmp_path: Path) -> None:  # for pytest an error
    assert write_sheet(table(label=["猫", "犬"]), tmp_path / "sheet.png") == 0


def figure_of(results: pd.DataFrame, tmp_path: Path, *arguments: str) -> Path:
    consolidated = results.assign(job=range(len(results)), job_id=range(len(results)))
    consolidated.to_parquet(tmp_path / "results.parquet")
    out = tmp_path / "figure.png"
    figure.main([str(tmp_path), str(out), *arguments])
    return out


def test_a_figure_shows_the_chosen_jobs_with_their_numbers(tmp_path: Path) -> None:
    results = table(
        objective=["dot", "cosine", "dot"], label=["a", "a", "b"], cosine=[0.1, 0.2, 0.3]
    )
    drawn = picture_grid.draw_grid(figure.select(results, "label == 'a'"), ["cosine"], 96)
    axes = [axis for axis in drawn.axes if axis.images]
    assert [axis.get_xlabel() for axis in axes] == ["cosine 0.1", "cosine 0.2"]
    assert [axis.get_title() for axis in axes] == ["dot", "cosine"]
    figure_of(results, tmp_path, "--rows", "label", "--columns", "objective")
    with Image.open(figure_of(results, tmp_path, "--captions", "cosine")) as picture:
        assert (np.asarray(picture.convert("RGB")) == 50).all(-1).sum() > 2 * 100**2


@pytest.mark.parametrize(
    ("arguments", "message"),
    {
        ("--where", "label == 'c'"): "keeps 0 of 2 jobs",
        ("--where", "lable == 'a'"): "cannot read --where",
        ("--where", "label =="): "cannot read --where",
        ("--captions", "cosin"): "did you mean cosine",
        ("--pixels", "0"): "pixels must be an integer of at least 1, got 0",
    }.items(),
)
def test_a_figure_that_cannot_be_is_refused(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        figure_of(table(label=["a", "b"]), tmp_path, *arguments)


@pytest.mark.slow
def test_an_animation_has_a_frame_for_each_snapshot_and_the_final_pictures(tmp_path: Path) -> None:
    write_sweep(tmp_path, ["conv2:0", "conv2:1"], 1, {1: "failed"}, snapshots=(16, 64))
    for name in ("out.webp", "out.gif"):
        figure.main([str(tmp_path), "--animate", str(tmp_path / name), "--pixels", "32"])
        with Image.open(tmp_path / name) as moving:
            assert moving.n_frames == 3  # type: ignore[attr-defined]
            frames = []
            for place in range(3):
                moving.seek(place)
                frames.append(np.asarray(moving.convert("RGB"), int))
            assert all(np.abs(a - b).max() > 50 for a, b in itertools.pairwise(frames))


def test_an_animation_needs_the_same_snapshots_of_all_jobs(tmp_path: Path) -> None:
    write_sweep(tmp_path, ["conv2:0"], 1)
    out = str(tmp_path / "out.webp")
    with pytest.raises(ValueError, match="no job has snapshots to animate"):
        figure.main([str(tmp_path), "--animate", out])
    with pytest.raises(ValueError, match=r"unknown suffix of the file '\.png'.*\.webp, \.gif"):
        figure.main([str(tmp_path), "--animate", "out.png"])
    with pytest.raises(ValueError, match="name a file for the figure, or --animate FILE"):
        figure.main([str(tmp_path)])
    write_sweep(tmp_path / "some" / "one", ["conv2:0"], 1, snapshots=(16, 64))
    write_sweep(tmp_path / "some" / "two", ["conv2:1"], 1, snapshots=(64,))
    with pytest.raises(ValueError, match="job 0 has no snapshot at step 16, which other jobs have"):
        figure.main([str(tmp_path / "some"), "--animate", out])
