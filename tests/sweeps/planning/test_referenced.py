"""Objectives, penalties and spaces that planning completes: by reference images, heads, photos."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import fvjax
from fvjax.data.patterns import TEXTURES
from fvjax.optimization.score import score_of
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.planning.plan import build_all
from sweeps.task import Task

QUICK = ["steps=2", "judge=null", "reference_images=generated", "reference_count=12"]
CHANNEL_2 = ("direction.first={_target_:fvjax.sources.Channel,index:2}",)
CLASS_1 = "direction.first={_target_:fvjax.sources.Centroid,attribute:texture,index:1}"
PICTURE = jax.random.uniform(jax.random.key(3), (64, 64, 3))


def build(*overrides: str, model: str = "tiny") -> Task:
    jobs = jobs_of([f"model={model}", *QUICK, *overrides])
    (task,) = build_all(jobs.configs, jobs.overrides)
    return task


def score(task: Task, activations: Any) -> float:
    direction = task.job.direction
    assert isinstance(direction, fvjax.Direction)
    return float(task.job.recipe.objective(activations, direction))


@pytest.mark.slow
def test_softmax_of_a_hidden_channel_is_over_standardised_channels() -> None:
    task = build("objective=softmax", "objective.temperature=2", "direction.index=3")
    objective = task.job.recipe.objective
    assert isinstance(objective, fvjax.Softmax) and float(objective.temperature) == 2
    seen = task.model(jax.random.uniform(jax.random.key(0), (32, 32, 3)))
    z = (seen["conv2"].mean((0, 1)) - objective.mean) / objective.stddev
    expected = z[3] - 2 * jax.nn.logsumexp(z / 2)
    assert score(task, seen) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.slow
def test_softmax_of_a_class_is_over_its_head() -> None:
    keys = ["objective=softmax", "direction=logit", "direction.index=rings"]
    task = build(*keys, model="texturenet")
    seen = task.model(PICTURE)
    names = list(task.model.classes)
    inside = [i for i, name in enumerate(names) if name.startswith("texture=")]
    logits = seen["logits"][jnp.array(inside)]
    place = inside.index(names.index("texture=rings"))
    assert score(task, seen) == pytest.approx(float(jax.nn.log_softmax(logits)[place]), rel=1e-4)


@pytest.mark.parametrize(
    "objective", [["objective=cosine"], ["objective=dot", "penalty=orthogonal"], ["objective=dot"]]
)
def test_the_space_of_a_head_knows_no_common_mode_and_no_other_head(objective: list[str]) -> None:
    keys = ["space=head", "direction=logit", "direction.index=rings"]
    task = build(*keys, *objective, model="texturenet")
    names = np.array([name.partition("=")[0] for name in task.model.classes])
    logits = np.asarray(task.model(PICTURE)["logits"])
    moved = np.where(names == "texture", logits + 7, 3 * logits - 2)
    network: Any = task.model.network

    def seen(values: np.ndarray) -> dict[str, Any]:
        mapped = network.apply(task.model.weights, jnp.asarray(values))
        return {"logits": jnp.asarray(values), "logits@head": mapped}

    assert score(task, seen(moved)) == pytest.approx(score(task, seen(logits)), abs=1e-3)
    if objective == ["objective=dot"]:
        mine = logits[names == "texture"]
        one = np.eye(len(mine))[TEXTURES.index("rings")] - 1 / len(mine)
        expected = (mine - mine.mean()) @ one / np.linalg.norm(one)
        assert score(task, seen(logits)) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["space=head"], "is no readout"),
        (["objective=softmax", "objective.temperature=0"], "objective.temperature must be"),
        (
            ["objective=softmax", "reference_images=null"],
            "objective=softmax needs reference images",
        ),
        (
            ["objective=match", "objective.count=13"],
            "objective.count must be an integer from 1 to 12",
        ),
        (["objective=match", "space=whitened"], "objective=match is defined for space=plain only"),
        (["penalty=anchor"], "penalty=anchor needs a photograph"),
        (["direction=contrast"], "direction=contrast needs direction.first"),
        (["direction=contrast", *CHANNEL_2], "is a covector: name direction.second"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(*overrides)


def test_match_is_of_the_images_that_excite_the_direction_most() -> None:
    task = build("objective=match", "objective.count=2", "direction.index=3")
    objective, projections = task.job.recipe.objective, task.info.reference_projections
    assert isinstance(objective, fvjax.Match) and projections is not None
    target = np.asarray(objective.target)
    assert (np.diff(target, axis=0) >= -1e-6).all()
    best = np.sort(projections)[-2:].mean()
    assert target[:, 3].mean() == pytest.approx(best, rel=1e-4)


def test_a_class_less_the_mean_points_as_less_the_others() -> None:
    task = build("direction=contrast", CLASS_1, "objective=dot")
    one = build("direction=centroid", "direction.index=1")
    assert task.info.kind == "vector" and task.info.concept == one.info.concept
    both = build(
        "direction=contrast",
        *CHANNEL_2,
        "direction.second={_target_:fvjax.sources.Channel,index:5}",
    )
    wanted = np.zeros(16)
    wanted[[2, 5]] = 1, -1
    assert isinstance(both.job.direction, fvjax.Direction)
    np.testing.assert_array_equal(both.job.direction.vector, wanted)
    assert both.info.kind == "covector" and both.info.label == "conv2:2 less conv2:5"


@pytest.mark.slow
def test_the_anchor_is_the_photograph_that_the_image_starts_at(tmp_path: Path) -> None:
    rows, columns = np.indices((40, 50))
    pixels = np.stack([rows * 5, columns * 4, rows + columns], -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    keys = [f"parameterization.start={tmp_path}/photo.png", "parameterization.stddev=0"]
    keys += ["penalty=anchor", "penalty.layer=conv1", "objective=dot", "transform=none"]
    task = build(*keys)
    recipe = task.job.recipe
    first = recipe.decode(recipe.init(jax.random.key(0)))
    found, _ = score_of(task.model, task.job, first)
    dot = float(task.model(first)["conv2"][..., 0].mean())
    assert float(found) == pytest.approx(dot, abs=2e-3)  # nearly: the start is clipped to (0, 1)
    assert task.columns["penalty_path"] is None
