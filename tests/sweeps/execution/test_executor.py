"""Grouping jobs by structure, and running groups in batches."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import task_of

import fvjax
from fvjax.models.model import Model
from fvjax.models.tiny import tiny
from fvjax.optimization.recipe import as_leaves, stack_jobs
from fvjax.optimization.score import score_of
from sweeps.execution.batch import Outcome
from sweeps.execution.executor import Executor, summarize_error
from sweeps.execution.grouping import group_tasks, signature


@pytest.fixture(scope="module")
def model() -> Model:
    return fvjax.load("tiny")


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor()


def job(i: int = 0, steps: int = 3, penalized: bool = True, **objective: float) -> fvjax.Job:
    """Job i differs from the others in every leaf: exponent, weight, direction, rate and seed."""
    score: Any = fvjax.DotCosine(**{"exponent": i % 4, "floor": 0.1} | objective)
    if penalized:
        score = score - 0.01 * i * fvjax.OrthogonalNorm(squared=False)
    recipe = fvjax.Recipe(
        objective=score,
        parameterization=fvjax.Fourier(
            image_size=32, stddev=0.01, decay_power=1.0, decorrelate=True
        ),
        transform=fvjax.Standard(jitter=4, scale=0.1, rotation=5, late_jitter=2, fill=0.5),
        learning_rate=0.01 + 0.001 * i,
        steps=steps,
        optimizer="adam",
    )
    vector = jax.random.normal(jax.random.key(i), (16,))
    direction = fvjax.Direction(vector=vector, layer="conv2")
    return as_leaves(fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(i)))


def execute(
    executor: Executor, model: Model, jobs: list[fvjax.Job], batch_size: int | None = None
) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    tasks = [task_of(model, j) for j in jobs]
    for group in group_tasks(tasks):
        for ended in executor.execute(group, tasks, batch_size):
            outcomes |= dict(ended)
    return [outcomes[i] for i in range(len(jobs))]


def image(outcome: Outcome) -> np.ndarray:
    assert outcome.result is not None, outcome.error
    return np.asarray(outcome.result.image)


def test_leaves_share_a_group_and_structure_does_not(model: Model) -> None:
    jobs = [job(0), job(1), job(2, steps=4), job(3, penalized=False), job(4)]
    groups = group_tasks([task_of(model, j) for j in jobs])
    assert [group.members for group in groups] == [(0, 1, 4), (2,), (3,)]


@pytest.mark.slow
def test_one_chunk_never_mixes_two_models_but_they_share_a_program(executor: Executor) -> None:
    one, other = tiny(0), tiny(1)
    tasks = [task_of(m, job(i)) for i in (0, 1) for m in (one, other)]
    groups = group_tasks(tasks)
    assert [group.members for group in groups] == [(0, 2), (1, 3)]
    assert groups[0].signature == groups[1].signature
    before = executor.program_count
    made = [dict(next(executor.execute(g, tasks, 2))) for g in groups]
    assert executor.program_count == before + 1
    assert np.abs(image(made[0][0]) - image(made[1][1])).max() > 1e-3


def test_integers_and_floats_make_one_program() -> None:
    assert signature(job(exponent=2)) == signature(job(exponent=2.0))


def test_64_jobs_over_every_leaf_are_one_compile(model: Model, executor: Executor) -> None:
    before = executor.program_count
    outcomes = execute(executor, model, [job(i) for i in range(64)], batch_size=16)
    assert executor.program_count <= before + 1
    assert all(o.error is None for o in outcomes)
    pictures = np.stack([image(o) for o in outcomes])
    assert len(np.unique(pictures.reshape(64, -1), axis=0)) == 64


def test_an_image_is_bit_equal_whatever_its_neighbours(model: Model, executor: Executor) -> None:
    together = execute(executor, model, [job(i) for i in range(4)], batch_size=4)
    others = execute(executor, model, [job(0), job(9), job(8), job(7)], batch_size=4)
    padded = execute(executor, model, [job(0)], batch_size=4)
    assert np.array_equal(image(together[0]), image(others[0]))
    assert np.array_equal(image(together[0]), image(padded[0]))


def test_reordered_lanes_agree(model: Model, executor: Executor) -> None:
    ahead = execute(executor, model, [job(i) for i in range(4)], batch_size=4)
    back = execute(executor, model, [job(i) for i in reversed(range(4))], batch_size=4)
    for one, other in zip(ahead, reversed(back), strict=True):
        np.testing.assert_allclose(image(one), image(other), atol=1e-6)


@pytest.mark.slow
def test_other_chunk_sizes_agree_over_the_first_steps(model: Model, executor: Executor) -> None:
    jobs = [job(i, steps=8) for i in range(5)]
    whole, single = (execute(executor, model, jobs, batch_size=size) for size in (5, 1))
    for one, other in zip(whole, single, strict=True):
        np.testing.assert_allclose(image(one), image(other), atol=1e-5)
        assert one.result is not None and other.result is not None
        alone, batched = (r.history["score"] for r in (one.result, other.result))
        np.testing.assert_allclose(alone, batched, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_a_score_depends_on_its_own_parameters_alone(model: Model) -> None:
    jobs = stack_jobs([job(i) for i in range(3)])
    params = jax.vmap(lambda j: j.recipe.parameterization.init(j.key))(jobs)

    def scores(params: jax.Array) -> jax.Array:
        def one(j: fvjax.Job, p: jax.Array) -> jax.Array:
            shown = j.recipe.parameterization.decode(p)
            return score_of(model, j, shown)[0]

        return jax.vmap(one)(jobs, params)

    jacobian = np.asarray(jax.jacrev(scores)(params))
    for i in range(3):
        for j in range(3):
            assert np.any(jacobian[i, j] != 0) == (i == j)


@pytest.mark.slow
def test_objectives_share_the_program_of_their_metrics(model: Model) -> None:
    executor = Executor()
    direction: Any = job(3).direction
    middle = replace(direction, position=jnp.array([8, 8], jnp.int32))
    centred = replace(job(3), direction=middle)
    jobs: Any = [job(1), job(2, penalized=False), centred]
    found = execute(executor, model, jobs)
    assert (executor.program_count, len(executor.measures)) == (
        3,
        2,
    )  # where it looks makes a program
    for one, outcome in zip(jobs, found, strict=True):
        assert outcome.result is not None
        recipe = one.recipe
        here = fvjax.measure(model, one.direction, outcome.result.image, recipe.transform)
        assert outcome.metrics.keys() == here.keys()
        for name, value in here.items():
            assert outcome.metrics[name] == pytest.approx(np.asarray(value), 1e-4, 1e-5), name


@pytest.mark.slow
def test_a_program_that_is_there_serves_smaller_groups(model: Model) -> None:
    executor = Executor()
    execute(executor, model, [job(i) for i in range(4)])
    execute(executor, model, [job(i) for i in range(3)])
    execute(executor, model, [job(i) for i in range(9)])
    assert executor.program_count == 1


@pytest.mark.slow
def test_running_out_of_memory_halves_the_chunk(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, sizes, real = Executor(), [], Executor._begin

    def scarce(self: Executor, group: Any, members: Any, jobs: Any, size: int, watch: Any) -> Any:
        sizes.append(size)
        if size > 2:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return real(self, group, members, jobs, size, watch)

    monkeypatch.setattr(Executor, "_begin", scarce)
    outcomes = execute(executor, model, [job(i) for i in range(5)], batch_size=8)
    assert sizes == [8, 4, 2, 2, 2]
    assert all(o.error is None for o in outcomes)


@pytest.mark.slow
def test_running_out_of_memory_when_fetched_repeats_what_was_given(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, sizes, real = Executor(), [], Executor._collect

    def scarce(self: Executor, segment: Any, *rest: Any) -> Any:
        size = len(segment.result.final_score)
        sizes.append(size)
        if size > 2 and 2 in segment.batch.members:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return real(self, segment, *rest)

    monkeypatch.setattr(Executor, "_collect", scarce)
    jobs = [job(i) for i in range(6)]
    outcomes = execute(executor, model, jobs, batch_size=4)
    assert sizes == [4, 2, 2, 2]
    for one, other in zip(outcomes, execute(Executor(), model, jobs, batch_size=2), strict=True):
        assert np.array_equal(image(one), image(other))


@pytest.mark.slow
def test_a_program_beyond_the_memory_is_made_smaller_before_it_runs(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty, scarce = (Executor(jax.devices()[:1]) for _ in range(2))
    jobs = [job(i) for i in range(16)]
    tasks = [task_of(model, j) for j in jobs]
    (group,) = group_tasks(tasks)
    plenty.prepare(group, tasks, 16)
    found = plenty.programs[group.signature, 16][0].result().memory_analysis()
    needed = found.temp_size_in_bytes + found.argument_size_in_bytes + found.output_size_in_bytes
    monkeypatch.setattr("sweeps.execution.programs.memory_of", lambda device: needed // 2)
    outcomes = execute(scarce, model, jobs, batch_size=16)
    assert all(o.error is None for o in outcomes)
    assert 5 <= outcomes[0].batch_size <= 7  # nine tenths of the half


@pytest.mark.slow
def test_a_failing_job_fails_alone(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, real = Executor(), Executor._begin

    def broken(self: Executor, group: Any, members: Any, *rest: Any) -> Any:
        if 2 in members:
            raise RuntimeError("the device is gone\nand more")
        return real(self, group, members, *rest)

    monkeypatch.setattr(Executor, "_begin", broken)
    outcomes = execute(executor, model, [job(i) for i in range(4)], batch_size=2)
    assert [o.error for o in outcomes] == [None, None, "RuntimeError: the device is gone", None]
    assert executor.program_count == 1  # a job alone is padded to the batch
    monkeypatch.undo()
    calm = execute(executor, model, [job(i) for i in range(4)], batch_size=2)
    assert np.array_equal(image(outcomes[3]), image(calm[3]))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("one\ntwo"), "RuntimeError: one"),
        (RuntimeError(), "RuntimeError"),
        (
            RuntimeError("INTERNAL: Traceback (most recent call last):\n  File x\n\nKeyError: 3\n"),
            "RuntimeError: KeyError: 3",
        ),
    ],
)
def test_an_error_is_told_in_its_most_informative_line(error: Exception, line: str) -> None:
    assert summarize_error(error) == line


def test_a_program_that_cannot_be_compiled_fails_its_jobs(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(Executor, "_compile", broken)
    outcomes = execute(Executor(), model, [job(0), job(1)])
    assert {o.error for o in outcomes} == {"RuntimeError: no such instruction"}


def test_a_diverging_lane_leaves_the_others_alone(model: Model, executor: Executor) -> None:
    calmer = job(1)
    wild = replace(calmer, recipe=replace(calmer.recipe, learning_rate=1e38))
    outcomes = execute(executor, model, [job(0), wild, job(2), job(3)], batch_size=4)
    finite = [bool(o.result.finite) for o in outcomes if o.result is not None]
    assert finite == [True, False, True, True]
    calm = execute(executor, model, [job(0), job(1), job(2), job(3)], batch_size=4)
    assert np.array_equal(image(outcomes[2]), image(calm[2]))


_EIGHT = """
import numpy as np, jax, sys
sys.path[:0] = ["tests", "tests/sweeps/execution"]
from test_executor import Executor, execute, fvjax, image, job
assert len(jax.devices()) == 8
model, jobs = fvjax.load("tiny"), [job(i, steps=8) for i in range(11)]
one = execute(Executor(jax.devices()[:1]), model, jobs, batch_size=11)
eight = execute(Executor(), model, jobs, batch_size=11)
assert eight[0].batch_size == 16  # padded so that every device has as many
assert len(eight[0].result.image.shape) == 3
for a, b in zip(one, eight, strict=True):
    np.testing.assert_allclose(image(a), image(b), atol=1e-5)
few = execute(Executor(), model, jobs[:3])
assert few[0].batch_size == 3  # no more devices than jobs
"""


@pytest.mark.slow
def test_eight_devices_make_the_images_of_one() -> None:
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", _EIGHT], env=os.environ | flags, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_stacking_keeps_every_leaf() -> None:
    stacked = stack_jobs([job(1), job(2)])
    assert stacked.direction.vector.shape == (2, 16)
    assert jnp.allclose(stacked.recipe.learning_rate, jnp.array([0.011, 0.012]))
