"""A user's functions and dataclasses as objective, penalty, transform, source, model and metric."""

import io
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

import fvjax
import sweeps
from fvjax.direction import base
from fvjax.models.tiny import tiny
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.config.errors import EXPECTED, UserError, explain
from sweeps.config.paths import CONF
from sweeps.planning.metric_inputs import note_missing_reference
from sweeps.planning.plan import build_all
from sweeps.results.labels import arm_labels, config_columns
from sweeps.task import Task

QUICK = ["steps=2", "reference_images=null", "judge=null"]


def build(*overrides: str) -> Task:
    jobs = jobs_of(["model=tiny", *QUICK, *overrides])
    (task,) = build_all(jobs.configs, jobs.overrides)
    return task


OPTIONS = {
    "objective/mine": "_target_: user_pieces.peak\nsharpness: 2.0\n",
    "objective/odd": "_target_: user_pieces.not_a_score\n",
    "objective/text": "_target_: user_pieces.make\n",
    "penalty/mine": "_target_: user_pieces.brightness\nweight: 1.0\nunit: raw\n",
    "transform/mine": "_target_: user_pieces.dimmed\namount: 0.5\n",
    "parameterization/mine": "_target_: user_pieces.Flat\nspread: 0.2\nlearning_rate: 0.05\n",
    "parameterization/odd": "_target_: user_pieces.peak\nlearning_rate: 0.05\n",
    "direction/mine": "_target_: user_pieces.first_two\nweight: 0.5\n",
    "direction/odd": "_target_: user_pieces.brightness\n",
    "metrics/mine": "optimized_metric: brightness\nenabled: true\n"
    "brightness: {_target_: user_pieces.brightness}\n",
    "metrics/odd": "optimized_metric: dot\nenabled: true\n"
    "dot: {_target_: user_pieces.brightness}\n",
    "model/mine": "_target_: user_pieces.network\nwidth: 3\ndefault_layer: mine\n"
    "image_size: 16\nreference_images: null\njudge: null\n",
    "experiment/mine": "# @package _global_\n# Which is brighter?\nhydra:\n  sweeper:\n"
    "    grids:\n      - {objective: mine, objective.sharpness: [1, 8]}\n",
}


@pytest.fixture
def own(tmp_path: Path) -> str:
    """The override that adds a folder with a user's options."""
    for name, text in OPTIONS.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"hydra.searchpath=['file://{tmp_path}/conf']"


@pytest.mark.slow
def test_functions_and_dataclasses_are_swept_like_ours(own: str, tmp_path: Path) -> None:
    mine = [
        f"{g}=mine" for g in ("transform", "parameterization", "direction", "penalty", "metrics")
    ]
    table = sweeps.run(
        [*QUICK, "experiment=mine", *mine, own], model=tiny(3), directory=tmp_path / "mine"
    )
    assert list(table["status"]) != ["failed", "failed"] and table["error"].isna().all()
    assert table["program"].nunique() == 1 and list(table["objective_sharpness"]) == [1, 8]
    assert table["initial_score"].nunique() == 2
    assert set(table["label"]) == {"conv2:mine"}
    for row in table.to_dict("records"):
        picture = np.asarray(_picture(row)) / 255
        assert np.ptp(picture, axis=(0, 1)).max() == 0  # one colour
        assert row["brightness"] == pytest.approx(picture.mean(), abs=0.01)
    assert "brightness" not in config_columns(table)
    assert list(arm_labels(table)) == ["mine sharpness=1", "mine sharpness=8"]


def _picture(row: dict[str, object]) -> object:
    return Image.open(io.BytesIO(row["image"]["bytes"]))  # type: ignore[index]


def test_a_function_makes_a_model_and_a_judge(own: str) -> None:
    jobs = jobs_of(["model=mine", "judge=mine", "steps=2", own])
    (task,) = build_all(jobs.configs, jobs.overrides)
    assert task.model.layers == {"mine": (16, 16, 9), "logits": (9,)}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("objective=odd", "an objective must return one number"),
        ("objective=text", "objective._target_=user_pieces.make must be an objective"),
        ("direction=odd", "must be a source of directions"),
        ("parameterization=odd", "must be a parameterization"),
        ("metrics=odd", "column 'dot' already"),
        ("model=mine judge=odd", "unknown judge 'odd': it is one of custom"),
    ],
)
def test_wrong_pieces_are_refused_in_one_sentence(overrides: str, message: str, own: str) -> None:
    with pytest.raises((*EXPECTED, UserError)) as refused:
        jobs = jobs_of(["model=tiny", *QUICK, *overrides.split(), own])
        build_all(jobs.configs, jobs.overrides)
    (line,) = explain(refused.value, CONF).splitlines()
    assert message in line


def test_minimising_reads_the_layer_before_its_relu() -> None:
    task = build("objective=dot", "objective.sign=-1", "steps=12", "transform=none")
    assert task.job.direction.layer == "conv2_pre_relu"
    assert task.job.direction.original.layer == "conv2" == task.info.direction.layer
    result = jax.jit(fvjax.visualize)(task.model, task.job)
    a = task.model(result.image)["conv2_pre_relu"]
    assert float(result.final_score) == pytest.approx(-float(a[..., 0].mean()), abs=1e-4)
    assert result.final_score > result.initial_score and not result.dead


@pytest.mark.slow
def test_joint_excites_units_of_other_layers() -> None:
    task = build("objective=joint", "objective.index=[2,3]", "objective.weight=[1,-2]")
    activations = task.model(jax.random.uniform(jax.random.key(0), (32, 32, 3)))
    direction = task.job.direction
    assert isinstance(direction, fvjax.Direction)
    found = float(task.job.recipe.objective(activations, direction))
    own, other = activations["conv2"], activations["conv1"]
    expected = own[..., 0].mean() + other[..., 2].mean() - 2 * other[..., 3].mean()
    assert found == pytest.approx(float(expected), rel=1e-4)
    assert base(task.job.direction.layer) == "conv2"
    named = build("objective=joint", "objective.layer=logits", "objective.index=1")
    assert jax.tree.structure(named.job) != jax.tree.structure(task.job)


@pytest.mark.parametrize("colors", ["gray", "rgba"])
def test_colors_contrast_and_mean_wrap_the_parameterization(colors: str, tmp_path: Path) -> None:
    keys = [f"parameterization.colors={colors}", "parameterization.contrast=0.1"]
    keys += ["parameterization.mean=0.4", "objective=dot", "steps=2", "metrics=none"]
    keys += ["transform=random_background"] if colors == "rgba" else []
    table = sweeps.run(keys, model=tiny(3), directory=tmp_path / colors)
    picture = np.asarray(_picture(table.to_dict("records")[0])) / 255
    assert picture.shape == (32, 32, 4 if colors == "rgba" else 3)
    assert picture[..., :3].mean() == pytest.approx(0.4, abs=0.01)
    assert picture[..., :3].std() == pytest.approx(0.1, abs=0.01)


@pytest.mark.slow
def test_deepdream_starts_at_a_photograph(tmp_path: Path) -> None:
    rows, columns = np.indices((40, 50))
    pixels = np.stack([rows * 5, columns * 4, rows + columns], -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    keys = [f"parameterization.start={tmp_path}/photo.png", "parameterization.stddev=0"]
    task = build("objective=deepdream", "transform=jitter", "steps=4", *keys)
    recipe = task.job.recipe
    first = recipe.decode(recipe.init(jax.random.key(0)))
    result = jax.jit(fvjax.visualize)(task.model, task.job)
    a = task.model(first)["conv2"]
    assert float(result.initial_score) == pytest.approx(float((a**2).mean()), rel=1e-4)
    assert result.final_score > result.initial_score and not result.dead
    assert 0 < float(np.abs(result.image - first).mean()) < 0.3


def odd_names(weights: object, image: jax.Array, record: Any) -> None:
    x = record("block:0/conv.1", image * 0.5)
    x = record("block:0/relu", jax.numpy.maximum(x - 0.1, 0))
    record("head=2", x.mean((0, 1)))


@pytest.mark.slow
def test_layers_may_have_slashes_colons_and_equals_signs(tmp_path: Path) -> None:
    model = fvjax.Model.from_function(odd_names, {}, image_size=16)
    keys = ["layer='block:0/relu'", "penalty=previous", "space=whitened", "steps=2"]
    keys += ["reference_images=generated", "reference_count=8", "judge=null", "direction.index=1"]
    table = sweeps.run(keys, model=model, directory=tmp_path / "odd")
    (row,) = table.to_dict("records")
    assert row["layer"] == "block:0/relu" and row["label"] == "block:0/relu:1"
    assert row["penalty_layer"] is None and row["status"] in ("ok", "diverged")
    assert row["previous_l1"] > 0 and row["whitened_cosine"] is not None
    named = sweeps.run(
        ["layer='head=2'", "direction.index=1", "penalty=previous", *QUICK, "metrics=none"],
        model=model,
        directory=tmp_path / "named",
    )
    assert list(named["layer"]) == ["head=2"]


def test_a_sweep_says_once_what_is_null_without_reference_images(
    caplog: pytest.LogCaptureFixture,
) -> None:
    note_missing_reference.cache_clear()
    with caplog.at_level(logging.INFO):
        for seed in range(3):
            build(f"seed={seed}")
    (line,) = [r.message for r in caplog.records if "no reference images" in r.message]
    assert "reference_z" in line and "excitation" in line and "reference_images=generated" in line


def test_channels_are_weighted_from_the_command_line() -> None:
    task = build("direction.index=[3,5]", "direction.weight=[1,-0.5]")
    vector = np.zeros(16)
    vector[[3, 5]] = 1, -0.5
    np.testing.assert_array_equal(task.info.direction.vector, vector)  # type: ignore[union-attr]
    assert task.info.label == "conv2:3-0.5*5"
