"""Several penalties in one job: composed, swept, weighted apart, named, repeated."""

from pathlib import Path

import jax
import pytest

import fvjax
import sweeps
from fvjax.models.tiny import tiny
from fvjax.objectives.objective import Objective, parts
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.config.remake import Remake
from sweeps.config.several import split_options
from sweeps.planning.plan import build_all
from sweeps.task import Task

QUICK = ["model=tiny", "steps=2", "reference_images=null", "judge=null"]
BOTH = "penalty=[orthogonal,total_variation]"


def build(*overrides: str) -> list[Task]:
    jobs = jobs_of([*QUICK, *overrides])
    return build_all(jobs.configs, jobs.overrides)


def value(objective: Objective) -> float:
    image = jax.random.uniform(jax.random.key(1), (32, 32, 3))
    direction = fvjax.Direction(vector=jax.nn.one_hot(0, 16), layer="conv2")
    return float(objective({**tiny(0)(image), "image": image}, direction))


@pytest.mark.slow
def test_each_has_its_weight() -> None:
    weights = ["penalty.orthogonal.weight=3", "penalty.total_variation.weight=0.2"]
    (task,) = build("objective=dot", BOTH, *weights)
    score = fvjax.Dot() - 3.0 * fvjax.OrthogonalNorm() - 0.2 * fvjax.TotalVariation()
    assert value(task.job.recipe.objective) == pytest.approx(value(score), rel=1e-5)
    assert task.columns["penalty"] == "orthogonal+total_variation"
    assert task.columns["penalty_orthogonal_weight"] == 3
    assert task.columns["penalty_total_variation_unit"] == "raw"
    assert "penalty_weight" not in task.columns


@pytest.mark.slow
def test_weights_are_swept_in_one_program_and_lists_beside_options() -> None:
    jobs = build(BOTH, "penalty.orthogonal.weight=1,2,3", "seed=0,1")
    assert len({task.job_id for task in jobs}) == 6
    assert len({jax.tree.structure(task.job) for task in jobs}) == 1
    mixed = build("penalty=none,orthogonal,[orthogonal,previous]")
    assert [task.columns["penalty"] for task in mixed] == [
        "none",
        "orthogonal",
        "orthogonal+previous",
    ]
    assert mixed[2].columns["penalty_previous_layer"] is None  # the layer before the direction's


@pytest.mark.slow
def test_order_has_no_effect_and_a_list_of_one_is_the_option() -> None:
    turned, (one,) = build("penalty=[total_variation,orthogonal]"), build("penalty=[previous]")
    assert turned[0].job_id == build(BOTH)[0].job_id
    assert one.job_id == build("penalty=previous")[0].job_id
    assert one.columns == build("penalty=previous")[0].columns
    assert build("penalty=[]")[0].job_id == build("penalty=none")[0].job_id


def test_naming_a_default_changes_no_id() -> None:
    (plain,) = build(BOTH)
    (named,) = build(BOTH, "penalty.orthogonal.weight=0.5")
    (other,) = build(BOTH, "penalty.orthogonal.weight=0.6")
    assert plain.job_id == named.job_id != other.job_id


def test_units_and_annealing_hold_for_each() -> None:
    (task,) = build("penalty=[orthogonal,previous]", "penalty.previous.unit=balanced")
    kinds = [type(part).__name__ for part in parts(task.job.recipe.objective)]
    assert kinds.count("Subtracted") == 2 and kinds.count("Balanced") == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["penalty=[orthogonal,orthogonal]"], "must name different penalties"),
        (["penalty=[none,orthogonal]"], "none only alone"),
        ([BOTH, "penalty.orthogonal.weight=-1"], "penalty.orthogonal.weight must be a finite"),
        ([BOTH, "penalty.orthogonal.unit=raww"], "unknown penalty.orthogonal.unit 'raww'"),
        ([BOTH, "~penalty.orthogonal.weight"], "every job needs penalty.orthogonal.weight"),
        (["penalty=[orthogonal,blurr]"], "blurr"),
    ],
)
def test_mistakes_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        build(*overrides)


@pytest.mark.slow
def test_a_row_is_repeated_by_its_command(tmp_path: Path) -> None:
    keys = [BOTH, "penalty.orthogonal.weight=0.25", "objective=dot", "metrics=none"]
    table = sweeps.run([*QUICK, *keys], directory=tmp_path / "sweep")
    (row,) = table.to_dict("records")
    again = Remake().overrides(row)
    assert BOTH in again and "penalty.orthogonal.weight=0.25" in again
    (task,) = build_all(jobs_of(again).configs, jobs_of(again).overrides)
    assert task.job_id == row["job_id"]


def test_hydra_s_own_spelling_is_what_a_list_becomes() -> None:
    lines = split_options([BOTH, "seed=3", "penalty=none,[blur,orthogonal]"])
    assert lines[:3] == [
        "penalty=none",
        "+penalty@penalty.orthogonal=orthogonal",
        "+penalty@penalty.total_variation=total_variation",
    ]
    assert lines[3:] == ["seed=3", "penalty=none,[blur,orthogonal]"]  # a sweep is split by its jobs
