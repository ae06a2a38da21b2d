"""`direction.at=each` is one job for each position; equal mistakes are one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweeps.config.enumerate_jobs import jobs_of
from sweeps.planning.plan import build_all
from sweeps.planning.positions import expand_positions

BASE = ["model=tiny", "steps=1", "metrics=none", "direction=photo"]


@pytest.fixture
def photo(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return f"direction.path={tmp_path}/photo.png"


def compose(overrides: list[str]) -> object:
    (config,) = jobs_of(overrides).configs
    if isinstance(config, Exception):
        raise config
    return config


def test_each_is_every_position_of_the_photograph_s_layer(photo: str) -> None:
    each = [*BASE, photo, "direction.at=each", "layer=conv2"]
    jobs = [each, [*each, "direction.image_size=16"], [*BASE, photo, "direction.at=3"]]
    expanded = expand_positions(jobs, compose)  # type: ignore[arg-type]
    small = [job for job in expanded if "direction.image_size=16" in job]
    assert len(small) == 8 * 8 and len(expanded) == 16 * 16 + 8 * 8 + 1
    places = [f"direction.at={number}" for number in range(64)]
    assert [[one for one in job if one.startswith("direction.at=")] for job in small] == [
        [place] for place in places
    ]
    assert expanded[-1] == jobs[-1]


@pytest.mark.slow
def test_each_row_is_every_filled_cell_of_an_atlas() -> None:
    atlas = ["model=tiny", "direction=atlas_cell", "direction.row=each", "direction.cells=3"]
    images = ["direction.layout=pca", "reference_images=generated", "reference_count=8"]
    jobs = [[*atlas, *images, "layer=conv2", f"objective={name}"] for name in ("dot", "cosine")]
    expanded = expand_positions(jobs, compose)  # type: ignore[arg-type]
    places = [
        tuple(one for one in job if one.startswith(("direction.row=", "direction.column=")))
        for job in expanded
    ]
    count = len(expanded) // 2
    assert 4 <= count <= 9 and len(set(places)) == count and places[:count] == places[count:]
    tasks = build_all([compose(job) for job in expanded[:count]], expanded[:count])  # type: ignore[misc]
    assert {task.info.kind for task in tasks} == {"point"}
    with pytest.raises(ValueError, match="no cell of the atlas has"):
        expand_positions([[*jobs[0], "direction.least=100000"]], compose)  # type: ignore[arg-type]


def test_a_layer_without_positions_is_refused(photo: str) -> None:
    job = [*BASE, photo, "direction.at=each", "layer=logits"]
    with pytest.raises(ValueError, match="layer 'logits' has no positions"):
        expand_positions([job], compose)  # type: ignore[arg-type]


def test_equal_mistakes_are_one_line(photo: str) -> None:
    jobs = jobs_of([*BASE, photo, "layer=conv2", "direction.at=range(1000,1040)"])
    with pytest.raises(ValueError) as refused:
        build_all(jobs.configs, jobs.overrides)
    (line,) = str(refused.value).splitlines()
    assert "got 1000" in line and "and 20 more]" in line
