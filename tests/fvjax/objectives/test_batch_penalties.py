"""The images that a config names are read, and count where a job is known by its content."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import yaml
from conftest import composed
from PIL import Image

import fvjax
from fvjax.data.photos import read_photo
from sweeps.config.job_id import job_id
from sweeps.config.paths import CONF
from sweeps.execution.grouping import group_tasks
from sweeps.planning.build import build
from sweeps.planning.parameterization import arguments

PIXELS = {"_target_": "fvjax.Pixels", "stddev": 0.0, "decorrelate": True, "learning_rate": 1}
MACO = {"_target_": "fvjax.Maco", "reference_count": 5, "decorrelate": False}


def paint(path: Path, seed: int) -> str:
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(seed).integers(20, 235, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return str(path)


def test_a_start_is_read_at_the_jobs_size(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png", 0)
    read = arguments(PIXELS | {"start": path}, (24, 24))
    np.testing.assert_array_equal(read.pop("start"), read_photo(path, 24))
    assert read == {"_target_": "fvjax.Pixels", "stddev": 0.0, "decorrelate": True}
    assert arguments(PIXELS | {"start": None}, (24, 24)) == read | {"start": None}


def test_images_become_their_spectrum(tmp_path: Path) -> None:
    for seed in range(3):
        paint(tmp_path / "photos" / f"{seed}.png", seed)
    read = arguments(MACO | {"reference_images": str(tmp_path / "photos")}, (24, 24))
    expected = fvjax.spectrum(
        [read_photo(tmp_path / "photos" / f"{i}.png", 24) for i in range(3)], False
    )
    np.testing.assert_array_equal(read.pop("magnitude"), expected)
    assert read == {"_target_": "fvjax.Maco", "decorrelate": False}


def test_what_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "photos" / "a.png"
    wanted: list[Any] = [
        PIXELS | {"start": str(path)},
        MACO | {"reference_images": str(path.parent)},
    ]

    def read() -> list[Any]:
        found = [arguments(config, (16, 16)) for config in wanted]
        return [found[0]["start"], found[1]["magnitude"]]

    paint(path, 0)
    before = read()
    paint(path, 1)
    os.utime(path, ns=(0, 0))  # as quick as a test writes, the time may be the same
    for old, new in zip(before, read(), strict=True):
        assert np.abs(old - new).mean() > 0.01


def test_a_folder_counts_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    known = {}

    def noted(name: str) -> None:
        known[name] = job_id({"reference_images": str(folder)}, {}, CONF)

    noted("none")
    paint(folder / "a.png", 0)
    noted("one")
    os.utime(folder / "a.png", ns=(1, 1))
    assert job_id({"reference_images": str(folder)}, {}, CONF) == known["one"]
    paint(folder / "a.png", 1)
    noted("changed")
    paint(folder / "b.png", 2)
    noted("two")
    (folder / "b.png").rename(folder / "c.png")
    noted("renamed")
    assert len(set(known.values())) == len(known)
    assert job_id({"reference_images": ""}, {}, CONF) == job_id({"reference_images": ""}, {}, CONF)


def test_a_folder_that_is_called_like_an_option_is_no_file_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = build(composed("model=tiny", "objective=dot")).job_id
    for name in ("dot", "tiny", "conv2", "adam", "all", "generated"):
        paint(tmp_path / name / "a.png", 0)
    assert build(composed("model=tiny", "objective=dot")).job_id == before


def test_any_text_for_a_target_of_the_user_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tensors.bin"
    known = set()
    for content in (b"a", b"b"):
        file.write_bytes(content)
        os.utime(file, ns=(1, len(known)))
        known.add(
            job_id({"model": {"_target_": "mine.model", "deep": {"file": str(file)}}}, {}, CONF)
        )
    assert len(known) == 2


@pytest.mark.slow
def test_starts_share_a_program_and_no_start_has_its_own(tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"{seed}.png", seed) for seed in range(2)]
    start = "parameterization.start"
    options: list[list[str]] = [[f"{start}={p}", "parameterization.stddev=0"] for p in paths]
    tasks = [build(composed("model=tiny", *more)) for more in [*options, []]]
    groups = group_tasks(tasks)
    assert [group.members for group in groups] == [(0, 1), (2,)]
    assert len({task.job_id for task in tasks}) == 3
    for task, path in zip(tasks, paths, strict=False):
        parameterization = task.job.recipe.parameterization
        first = jax.jit(lambda p: p.decode(p.init(jax.random.key(0))))(parameterization)
        np.testing.assert_allclose(first, read_photo(path, 32), atol=1e-5)


@pytest.mark.parametrize("option", [file.stem for file in (CONF / "parameterization").iterdir()])
def test_a_sweep_learns_at_its_parameterizations_rate(option: str) -> None:
    config = yaml.safe_load((CONF / "parameterization" / f"{option}.yaml").read_text())
    few = ["reference_images=generated", "reference_count=2"] if "reference_count" in config else []
    size = ["image_size=64"] if option == "generator" else []
    base = ["model=tiny", f"parameterization={option}", *few, *size]
    own, named = (build(composed(*base, *more)) for more in ([], ["learning_rate=0.3"]))
    assert float(own.job.recipe.learning_rate) == pytest.approx(config["learning_rate"])
    assert float(named.job.recipe.learning_rate) == pytest.approx(0.3)
