"""A cgroup's limit decides how many cores JAX gets devices for."""

import os
from pathlib import Path

import pytest

from sweeps.execution.cpu_limit import cpu_limits, cpus_within, usable_cpus


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ([], 64),
        (["max 100000\n"], 64),
        (["200000 100000\n"], 2),
        (["150000 100000"], 2),
        (["50000 100000"], 1),
        (["400000 100000", "max 100000", "300000 100000"], 3),
        (["9000000 100000"], 64),
        (["", "nonsense"], 64),
    ],
)
def test_a_quota_is_cores(limits: list[str], cores: int) -> None:
    assert cpus_within(64, limits) == cores


def test_the_limits_of_all_parents_hold(tmp_path: Path) -> None:
    inner = tmp_path / "slurm" / "job_7"
    inner.mkdir(parents=True)
    (tmp_path / "slurm" / "cpu.max").write_text("400000 100000")
    (inner / "cpu.max").write_text("max 100000")
    assert cpu_limits("0::/slurm/job_7\n", tmp_path) == ["max 100000", "400000 100000"]
    (tmp_path / "cpu.max").write_text("200000 100000")  # of a container, whose root is its own
    assert cpu_limits("0::/\n", tmp_path) == ["200000 100000"]
    assert cpu_limits("1:cpu:/old\n", tmp_path) == ["200000 100000"]
    assert cpu_limits("", tmp_path / "absent") == []


def test_this_process_may_use_a_core() -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)
