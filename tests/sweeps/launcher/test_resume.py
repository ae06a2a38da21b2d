"""What a resumed sweep refuses to add to: rows of other defaults, weights or reference images."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from conftest import composed
from PIL import Image

import fvjax
from fvjax.models.tiny import tiny
from sweeps.execution.batch import Outcome
from sweeps.execution.run import make_row
from sweeps.launcher.resume import check_recorded, recorded_rows
from sweeps.planning import reference
from sweeps.planning.build import build
from sweeps.results.table import consolidate, write_part
from sweeps.storage.content_hash import hash_arrays
from sweeps.task import Task

SEEDS = (0, 1)


def build_tasks(*overrides: str) -> list[Task]:
    return [build(composed("model=tiny", *overrides, f"seed={seed}")) for seed in SEEDS]


def record(directory: Path, tasks: list[Task], **cells: Any) -> Any:
    """The rows of the tasks as a resumed sweep reads them, after a way through the files."""
    rows = [make_row(task, job, Outcome(), "program", 1) for job, task in enumerate(tasks)]
    write_part(directory, [row | cells for row in rows])
    consolidate(directory)
    return recorded_rows(directory).rows


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("objective=cosine", "penalty=orthogonal", "transform=none"),
        ("model.image_size=40", "learning_rate=1", "objective.exponent=3"),
        ("penalty=previous", "direction=logit", "position=center", "+note=2"),
    ],
)
def test_the_same_command_goes_on(overrides: tuple[str, ...], tmp_path: Path) -> None:
    tasks = build_tasks(*overrides)
    rows = record(tmp_path, tasks)
    assert rows.keys() == {task.job_id for task in tasks}
    check_recorded(tmp_path, rows, build_tasks(*overrides))


def test_an_equal_layer_under_another_name_goes_on(tmp_path: Path) -> None:
    rows = record(tmp_path, build_tasks("penalty=previous", "penalty.layer=null"))
    again = build_tasks("penalty=previous", "penalty.layer=conv1", "layer=conv2")
    assert rows.keys() == {task.job_id for task in again}
    check_recorded(tmp_path, rows, again)


def test_a_changed_default_is_refused_with_its_key_and_both_values(tmp_path: Path) -> None:
    tasks = build_tasks()
    rows = record(tmp_path, tasks)
    columns = tasks[0].columns | {"transform_rotation": 12}
    with pytest.raises(ValueError, match=r"job 0 with transform.rotation=10, .*rotation=12 now"):
        check_recorded(tmp_path, rows, [replace(tasks[0], columns=columns)])
    columns = tasks[1].columns | {"steps": 300}
    with pytest.raises(ValueError, match=r"job 1 with steps=256, and the default is steps=300"):
        check_recorded(tmp_path, rows, [replace(tasks[1], columns=columns)])


def test_a_default_that_is_gone_is_refused_and_a_new_one_is_not(tmp_path: Path) -> None:
    tasks = build_tasks()
    rows = record(tmp_path, tasks)
    new = [replace(task, columns=task.columns | {"objective_new": 1.0}) for task in tasks]
    check_recorded(tmp_path, rows, new)
    old = [replace(task, columns=dict(list(task.columns.items())[:-1])) for task in tasks]
    with pytest.raises(ValueError, match=r"=None now"):
        check_recorded(tmp_path, rows, old)


def test_other_weights_are_refused_with_both_hashes_even_for_other_jobs(tmp_path: Path) -> None:
    tasks = build_tasks()
    rows = record(tmp_path, tasks)
    (before,) = {task.weights_hash for task in tasks}
    other = [replace(t, job_id=f"v3-{t.job_id[::-1]}", weights_hash="cafe") for t in tasks]
    with pytest.raises(ValueError, match=f"weights_hash was {before} in job 0 and is cafe now"):
        check_recorded(tmp_path, rows, other)
    check_recorded(tmp_path, rows, build_tasks("precision=bfloat16"))


@pytest.mark.slow
def test_other_reference_images_are_refused_with_both_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (32, 32), (number * 80, 0, 0)).save(folder / f"{number}.png")
    images = f"reference_images={folder}"
    tasks = build_tasks(images)
    rows = record(tmp_path / "swp", tasks)
    check_recorded(tmp_path, rows, build_tasks("reference_images=generated", "reference_count=8"))
    Image.new("RGB", (32, 32), (0, 0, 99)).save(folder / "1.png")
    reference._load.cache_clear()  # as in another process
    other = build_tasks(images)
    both = f"was {tasks[0].reference_hash} in job 0 and is {other[0].reference_hash} now"
    with pytest.raises(ValueError, match=f"rows of other reference images: reference_hash {both}"):
        check_recorded(tmp_path, rows, other)


def test_another_version_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tasks = build_tasks()
    rows = record(tmp_path, tasks, version="0.0.9")
    check_recorded(tmp_path, rows, tasks)
    assert f"holds rows of fvjax 0.0.9, and this is fvjax {fvjax.__version__}" in caplog.text
    caplog.clear()
    check_recorded(tmp_path, {}, tasks)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_rows_of_an_older_kind_of_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of an older version of fvjax, whose job ids differ"):
        record(tmp_path, build_tasks(), job_id="v2-0123456789abcdef")


def test_the_hash_of_weights_tells_numbers_names_and_types() -> None:
    weights = tiny(0).weights
    assert hash_arrays(weights) == hash_arrays(tiny(0).weights) != hash_arrays(tiny(1).weights)
    assert len(hash_arrays(weights)) == 16
    array = np.arange(4, dtype=np.float32)
    others = [
        {"a": array},
        {"b": array},
        {"a": array.reshape(2, 2)},
        {"a": array.view(np.int32)},
        {"a": -array},
        {"a": array, "key": jax.random.key(0)},
        {"a": array, "key": jax.random.key(1)},
        {"a": 1.0},
    ]
    assert len({hash_arrays(one) for one in others}) == len(others)


def test_a_judge_is_part_of_the_hash() -> None:
    net = ("model=texturenet", "reference_images=null")
    judged, alone = (
        build(composed(*net, f"judge={judge}")) for judge in ("texturenet_judge", "null")
    )
    first, _, second = judged.weights_hash.partition("+")
    assert first == alone.weights_hash and second and second != first
