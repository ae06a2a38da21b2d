"""Programs are kept for groups that need them again, and released before memory runs out."""

import gc
from pathlib import Path

import pytest

from sweeps.config.enumerate_jobs import jobs_of
from sweeps.execution import programs
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import group_tasks
from sweeps.planning.plan import build_all
from sweeps.task import Task

SIX = ["layer=conv1,conv2", "objective=dot,cosine,inversion", "metrics=none"]
MAPS = Path("/proc/self/maps")


def tasks_of(*overrides: str) -> list[Task]:
    jobs = jobs_of(["model=tiny", "image_size=16", "steps=1", "direction=random", *overrides])
    return build_all(jobs.configs, jobs.overrides)


def mappings() -> int:
    gc.collect()
    return len(MAPS.read_text().splitlines())


@pytest.mark.slow
@pytest.mark.skipif(not MAPS.exists(), reason="Linux alone lists a process's mappings")
def test_a_sweep_of_many_programs_maps_no_more_memory_than_the_programs_it_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "_MOST_PROGRAMS", 2)
    tasks, executor = tasks_of(*SIX), Executor()
    groups = group_tasks(tasks)
    counts = [mappings()]
    for group in groups:
        ((_, outcome),) = next(executor.execute(group, tasks, 1))
        assert outcome.error is None
        counts.append(mappings())
    assert len(executor.programs) == 2 and executor.program_count == len(groups) == 6
    assert counts[-1] - counts[0] < 1.5 * (counts[2] - counts[0])
    (again,) = executor.execute(groups[0], tasks, 1)  # compiled anew
    assert again[0][1].error is None and executor.program_count == 6


def test_the_least_recently_used_programs_are_released_with_their_metrics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "_MOST_PROGRAMS", 2)
    tasks, executor = tasks_of("objective=dot,cosine,inversion"), Executor()
    first, second, third = group_tasks(tasks)
    for group in (first, second, first, third):
        executor.prepare(group, tasks, 1)
    assert list(executor.programs) == [(first.signature, 1), (third.signature, 1)]
    assert len(executor.measures) == 1  # the objectives share it
    assert executor.batch_size_for(second) == 1  # a later group runs in batches of the same size
    executor.forget(first, 1)
    assert executor.program_count == 2
