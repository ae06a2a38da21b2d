"""Segments of an ascent are the ascent, bit for bit; snapshots; an early stop."""

import itertools
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BATCH_PENALTIES, OBJECTIVES, PARAMETERIZATIONS

import fvjax
from fvjax import Job, Result
from fvjax.models.tiny import tiny
from fvjax.optimization.ascent import start
from fvjax.optimization.recipe import stack_jobs
from fvjax.optimization.summary import LEAST_GAIN, WINDOW
from fvjax.transforms import Identity

MODEL, LENGTH = tiny(), 24
SCALARS = ("initial_score", "final_score", "steps_run", "finite", "dead")
CASES: dict[str, dict[str, Any]] = {
    "a tree of parameters and a balanced penalty": {
        "objective": OBJECTIVES["balanced"],
        "parameterization": PARAMETERIZATIONS["laplacian"],
    },
    "several images": {"images_per_job": 2, "penalty": BATCH_PENALTIES["diversity"]},
    "line search": {"optimizer": "lbfgs", "transform": Identity()},
}


def jobs(steps: int = 30, **choices: Any) -> Job:
    size: dict[str, Any] = {} if "parameterization" in choices else {"image_size": 32}
    made = [fvjax.job(MODEL, channel=i, seed=i, steps=steps, **size, **choices) for i in (0, 3)]
    return stack_jobs(made)


def together(stacked: Job) -> Result:
    return jax.jit(jax.vmap(fvjax.visualize, (None, 0)))(MODEL, stacked)


program: Any = jax.jit(jax.vmap(partial(fvjax.segment, length=LENGTH), (None, 0, 0, *[None] * 3)))


def in_segments(stacked: Job, bounds: Sequence[int]) -> Result:
    """The result of segments between these bounds, with the whole history."""
    steps, history = jnp.int32(bounds[-1] - 1), []
    shapes = jax.eval_shape(jax.vmap(start, (None, 0)), MODEL, stacked)
    state = jax.tree.map(lambda x: jnp.full(x.shape, 1, x.dtype), shapes)  # is not read
    for first, last in itertools.pairwise(bounds):
        given = (jnp.int32(first), jnp.int32(last), steps)
        state, result = program(MODEL, stacked, state, *given)
        history.append({k: v[:, : last - first] for k, v in result.history.items()})
    whole = {k: jnp.concatenate([part[k] for part in history], 1)[:, 1:-1] for k in history[0]}
    return result.replace(history=whole)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("case", list(CASES))
def test_segments_are_the_single_loop_bit_for_bit(case: str) -> None:
    stacked = jobs(**CASES[case])
    whole = together(stacked)
    assert whole.finite.all() and np.unique(whole.image).size > 100
    for bounds in ([-1, 0, 1, 17, 30, 31], [-1, 16, 31]):
        found = in_segments(stacked, bounds)
        for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(found), strict=True):
            np.testing.assert_array_equal(one, other)


def test_one_program_serves_any_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    traces, real = [], sys.modules["fvjax.optimization.ascent"].score_of

    def score(*given: Any) -> Any:
        traces.append(1)
        return real(*given)

    monkeypatch.setattr(sys.modules["fvjax.optimization.ascent"], "score_of", score)
    jax.clear_caches()
    in_segments(jobs(steps=4), [-1, 5])
    assert len(traces) == 1
    other = jobs(steps=4)  # of the recipe's own steps nothing is read
    images = [in_segments(other, [-1, 9, 20]).image, in_segments(other, [-1, 20]).image]
    assert len(traces) == 1 and program._cache_size() == 1
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], together(jobs(steps=19)).image)


@pytest.mark.slow
def test_a_snapshot_is_the_image_of_fewer_steps() -> None:
    marks = (0, 3, 8)
    found = together(jobs(steps=8, snapshots=marks))
    assert found.snapshots.shape == (2, 3, 32, 32, 3)
    np.testing.assert_array_equal(found.snapshots[:, 2], found.image)
    for place, steps in ((1, 3), (2, 8)):
        fewer = in_segments(jobs(steps=8), [-1, steps + 1])
        np.testing.assert_array_equal(found.snapshots[:, place], fewer.image)
    for row in range(2):
        one = jax.tree.map(lambda x, row=row: x[row], jobs())
        first = one.recipe.decode(one.recipe.init(jax.random.split(one.key)[0]))
        np.testing.assert_allclose(found.snapshots[row, 0], first, atol=1e-6)
    assert fewer.snapshots.shape == (2, 0, 32, 32, 3)


@pytest.mark.slow
def test_an_ascent_that_has_converged_stops_and_its_image_stays() -> None:
    quick: dict[str, Any] = {"objective": fvjax.Cosine(), "transform": Identity()}
    steps = 16 * WINDOW
    plain, stopped = (
        together(jobs(steps=steps, stop_when_converged=flag, **quick)) for flag in (False, True)
    )
    assert (plain.steps_run == steps).all()
    for row, ran in enumerate(np.asarray(stopped.steps_run)):
        assert ran % WINDOW == 0 and 2 * WINDOW <= ran < steps
        score = np.asarray(plain.history["score"][row])
        np.testing.assert_array_equal(stopped.history["score"][row, :ran], score[:ran])
        means = score.reshape(-1, WINDOW).mean(1)
        gains = np.diff(means) / (means[1:] - float(plain.initial_score[row]))
        stalls = gains <= LEAST_GAIN
        assert stalls[ran // WINDOW - 2] and not stalls[: ran // WINDOW - 2].any()
        bounds = [*range(-1, ran, LENGTH), ran + 1]
        same = in_segments(jobs(**quick), bounds)
        np.testing.assert_array_equal(stopped.image[row], same.image[row])
        np.testing.assert_array_equal(stopped.final_score[row], same.final_score[row])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"snapshots": (3, 9)}, "snapshots must be an integer from 0 to 8, got 9"),
        ({"snapshots": (3, 3)}, r"snapshots must increase, got \[3, 3\]"),
        ({"snapshots": (-1,)}, "snapshots must be an integer from 0 to 8, got -1"),
        ({"stop_when_converged": "no"}, "stop_when_converged must be true or false, got 'no'"),
        ({"stop_when_converged": 1}, "stop_when_converged must be true or false, got 1"),
    ],
)
def test_wrong_snapshots_and_flags_are_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jobs(steps=8, **bad)
