"""Batches in segments: snapshots, early stops, and checkpoints that continue bit for bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from cases import task_of

import fvjax
from fvjax.models.tiny import tiny
from fvjax.optimization.recipe import stack_jobs
from fvjax.transforms import Identity
from sweeps.execution.batch import Batch, Outcome
from sweeps.execution.batched import run_jobs
from sweeps.execution.checkpoints import CHECKPOINTS, Checkpoints
from sweeps.execution.compile import shard_jobs
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import group_tasks
from sweeps.execution.schedule import Watch
from sweeps.task import Task

MODEL, EXECUTOR, STEPS, SIZE = tiny(), Executor(), 300, 2


def task(channel: int, steps: int = STEPS, model: fvjax.Model = MODEL, **choices: Any) -> Task:
    job = fvjax.job(model, channel=channel, seed=channel, steps=steps, image_size=32, **choices)
    return replace(task_of(model, job), job_id=f"job-{channel}")


def run(tasks: list[Task], **watched: Any) -> dict[int, Outcome]:
    watch, found = Watch(**watched), {}
    for group in group_tasks(tasks):
        for ended in EXECUTOR.execute(group, tasks, SIZE, watch):
            found |= dict(ended)
    return found


def assert_equal(one: Outcome, other: Outcome) -> None:
    assert one.error is None and other.error is None and one.metrics.keys() == other.metrics.keys()
    pair = (one.result, one.metrics), (other.result, other.metrics)
    for x, y in zip(*map(jax.tree.leaves, pair), strict=True):
        np.testing.assert_array_equal(x, y)


def after(segments: int) -> Callable[[], bool]:
    """A signal that comes after so many looks."""
    left = iter(range(segments))
    return lambda: next(left, None) is None


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, Outcome]:
    return run([task(i) for i in range(3)])


def test_a_batch_in_segments_is_visualize_bit_for_bit(undisturbed: dict[int, Outcome]) -> None:
    jobs = stack_jobs([task(i).job for i in range(SIZE)])
    devices = EXECUTOR._mesh(SIZE)
    whole = jax.device_get(shard_jobs(run_jobs, devices, 1)(MODEL, jobs))
    for place in range(SIZE):
        one: Any = jax.tree.map(lambda x, place=place: x[place], whole)
        found = undisturbed[place].result
        for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(found), strict=True):
            np.testing.assert_array_equal(x, y)


def test_other_numbers_of_steps_share_the_program(undisturbed: dict[int, Outcome]) -> None:
    before = EXECUTOR.program_count, len(EXECUTOR.measures)
    found = run([task(0, steps=10), task(1, steps=20), task(2, steps=10)])
    assert (EXECUTOR.program_count, len(EXECUTOR.measures)) == before
    lengths = [len(one.result.history["score"]) for _, one in sorted(found.items())]  # type: ignore[union-attr]
    assert lengths == [10, 20, 10]


@pytest.mark.slow
def test_progress_and_snapshots_come_from_the_segments(undisturbed: dict[int, Outcome]) -> None:
    steps: list[int] = []
    tasks = [task(0, snapshots=(0, 10, 100)), task(1, snapshots=(10, STEPS)), task(2)]
    found = run(tasks, advance=steps.append)
    assert sum(steps) == 3 * STEPS and len(steps) > 10
    for place, fewer in ((0, 10), (1, 10), (0, 100)):
        mark = tasks[place].job.recipe.snapshots.index(fewer)
        same = run([task(place, steps=fewer)])[0].result
        np.testing.assert_array_equal(found[place].result.snapshots[mark], same.image)  # type: ignore[union-attr]
    results = [found[place].result for place in range(3)]
    assert [len(r.snapshots) for r in results if r is not None] == [3, 2, 0]
    np.testing.assert_array_equal(results[1].snapshots[1], results[1].image)  # type: ignore[union-attr]
    np.testing.assert_array_equal(results[0].image, undisturbed[0].result.image)  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_batch_ends_when_all_of_its_jobs_have_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatched, real = [], Batch.dispatch

    def dispatch(self: Batch) -> Any:
        segment = real(self)
        dispatched.append(segment.last)
        return segment

    monkeypatch.setattr(Batch, "dispatch", dispatch)
    quick: dict[str, Any] = {"objective": fvjax.Cosine(), "transform": Identity(), "steps": 5000}
    steps: list[int] = []
    marks = (64, 4000)
    tasks = [task(i, stop_when_converged=True, snapshots=marks, **quick) for i in (0, 3)]
    found = run(tasks, advance=steps.append)
    assert sum(steps) == 2 * 5000 and dispatched[-1] == 5001 and len(dispatched) < 40
    for outcome in found.values():
        result: Any = outcome.result
        assert result.steps_run < 1000 and len(result.history["score"]) == result.steps_run
        assert len(result.snapshots) == 1  # the job ended before the second


@pytest.mark.slow
def test_an_interrupted_batch_goes_on_bit_for_bit(
    undisturbed: dict[int, Outcome], tmp_path: Path
) -> None:
    tasks, kept = [task(i) for i in range(3)], Checkpoints(tmp_path)
    assert run(tasks, checkpoints=kept, interrupted=after(4)) == {}
    (path,) = kept.folder.glob("*.npz")
    steps: list[int] = []
    found = run(tasks, checkpoints=kept, advance=steps.append)
    assert sum(steps) == 3 * STEPS and steps[0] > 0  # steps of before count at once
    for place, outcome in found.items():
        assert_equal(outcome, undisturbed[place])
    assert not path.exists() and not kept.folder.exists()


@pytest.mark.slow
def test_a_checkpointed_batch_comes_first_whatever_else_runs(
    undisturbed: dict[int, Outcome], tmp_path: Path
) -> None:
    kept = Checkpoints(tmp_path, every=50)
    assert run([task(1), task(2)], checkpoints=kept, interrupted=after(5)) == {}
    tasks = [task(0), task(1), task(2)]
    (group,) = group_tasks(tasks)
    members = [
        [place for place, _ in ended]
        for ended in EXECUTOR.execute(group, tasks, SIZE, Watch(checkpoints=kept))
    ]
    assert members == [[1, 2], [0]]


def test_without_checkpoints_an_interrupted_batch_runs_to_its_end(
    undisturbed: dict[int, Outcome],
) -> None:
    found = run([task(i) for i in range(3)], interrupted=after(2))
    assert set(found) == {0, 1}
    assert_equal(found[0], undisturbed[0])


def cut(folder: Path) -> Path:
    """The checkpoint of an interrupted batch of the jobs 0 and 1."""
    run([task(0), task(1)], checkpoints=Checkpoints(folder), interrupted=after(4))
    (path,) = (folder / CHECKPOINTS).glob("*.npz")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "another file"])
def test_a_damaged_checkpoint_is_named_and_its_jobs_begin_anew(
    damage: str,
    undisturbed: dict[int, Outcome],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = cut(tmp_path)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "truncated": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "another file": b"PK no zip file",
        }[damage]
    )
    found = run([task(0), task(1)], checkpoints=Checkpoints(tmp_path))
    assert f"the checkpoint {path} is not used, its jobs begin anew" in caplog.text
    assert_equal(found[0], undisturbed[0])


@pytest.mark.slow
def test_a_checkpoint_of_other_weights_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut(tmp_path)
    other = tiny(seed=3)
    tasks = [task(0, model=other), task(1, model=other)]
    found = run(tasks, checkpoints=Checkpoints(tmp_path))
    assert "it is of other weights, jobs, devices or another version" in caplog.text
    assert_equal(found[0], run(tasks)[0])


def test_a_checkpoint_that_cannot_be_written_is_a_warning(
    undisturbed: dict[int, Outcome], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Checkpoints(tmp_path, every=100)
    kept.folder.touch()  # a file in the place of the folder
    found = run([task(0), task(1)], checkpoints=kept)
    assert "no checkpoint" in caplog.text
    assert_equal(found[1], undisturbed[1])
