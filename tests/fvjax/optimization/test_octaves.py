"""Octaves: the picture is made small, enlarged without noise, and goes on; tiles of it suffice."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import PARAMETERIZATIONS
from jax import Array

import fvjax
from fvjax.image_size import octave_sizes
from fvjax.models.tiny import tiny
from fvjax.optimization.ascent import ascend, start
from fvjax.optimization.octaves import by_size, enlarge, octave_at
from fvjax.parameterizations.parameterization import resample
from fvjax.transforms import Identity, RandomCrop

MODEL = tiny()
RUN = jax.jit(fvjax.visualize)


def job(**choices: Any) -> fvjax.Job:
    given = {"layer": "conv2", "channel": 3, "steps": 6, "image_size": 48, "octaves": 2}
    return fvjax.job(MODEL, **{**given, "octave_scale": 1.5, **choices})


def test_sizes_shrink_by_the_scale_down_from_the_picture_s() -> None:
    assert octave_sizes((96, 144), 3, 1.5) == ((43, 64), (64, 96))
    assert octave_sizes(64, 1, 1.4) == ()


@pytest.mark.parametrize(
    ("octaves", "scale", "said"), [(0, 1.4, "octaves"), (2, 1.0, "above 1"), (9, 4, "no pixels")]
)
def test_wrong_sizes_are_refused(octaves: Any, scale: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        octave_sizes(64, octaves, scale)


def test_octaves_share_the_steps_evenly_and_evaluations_are_at_both_ends() -> None:
    steps = [int(octave_at(step, 6, 3)) for step in range(-1, 7)]
    assert steps == [0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.slow
def test_the_first_octave_is_the_ascent_of_a_small_picture(key: Array) -> None:
    small, both = job(image_size=32, octaves=1, steps=3), job()
    assert by_size(both)[0].recipe.parameterization.image_size == (32, 32)
    np.testing.assert_allclose(
        RUN(MODEL, both).history["score"][:3], RUN(MODEL, small).history["score"], rtol=1e-4
    )


def test_a_larger_octave_begins_with_the_enlarged_picture_and_no_noise() -> None:
    one = job(transform=Identity(), learning_rate=1e-9, steps=4)
    state = start(MODEL, one)
    small = state.params[0]
    for step in range(-1, 3):  # the third step is the larger octave's first
        state, _ = jax.jit(partial(ascend, MODEL, one, 4))(state, jnp.int32(step))
    first, last = by_size(one)
    expected = resample(first.recipe.decode(small), (48, 48))
    np.testing.assert_allclose(last.recipe.decode(state.params[1]), expected, atol=2e-3)
    noisy = last.recipe.decode(last.recipe.init(jax.random.split(one.key)[0]))
    assert float(jnp.max(jnp.abs(noisy - expected))) > 4e-3


@pytest.mark.parametrize(
    "name",
    [n for n in PARAMETERIZATIONS if not n.startswith(("cppn", "maco", "generator", "gratings"))],
)
def test_an_encoded_image_decodes_to_itself(name: str, key: Array) -> None:
    parameterization = PARAMETERIZATIONS[name]
    params = jax.tree.map(lambda x: 20 * x, parameterization.init(key))
    image = parameterization.decode(params)
    again = parameterization.decode(parameterization.encode(image))
    np.testing.assert_allclose(again, image, atol=1 / 256)


def test_a_photograph_keeps_the_detail_that_a_small_picture_lacks(key: Array) -> None:
    photo = jax.random.uniform(key, (48, 48, 3), minval=0.2, maxval=0.8)
    made = fvjax.Fourier(image_size=48, start=photo, stddev=0.0)
    small, large = by_size(job(parameterization=made, image_size=None))
    begun = enlarge(small.recipe, small.recipe.init(key), large.recipe)
    np.testing.assert_allclose(large.recipe.decode(begun), photo, atol=0.01)


@pytest.mark.slow
def test_octaves_of_many_jobs_segments_and_snapshots_agree_with_one() -> None:
    jobs = [job(channel=c, snapshots=(1, 4)) for c in (2, 3)]
    first, second = fvjax.visualize_many(MODEL, jobs)
    alone = RUN(MODEL, jobs[1])
    np.testing.assert_allclose(second.image, alone.image, atol=1e-3)
    assert first.image.shape == (48, 48, 3) and first.snapshots.shape == (2, 48, 48, 3)
    state, run = start(MODEL, jobs[1]), jax.jit(partial(fvjax.segment, length=8))
    for bounds in ((-1, 1), (1, 4), (4, 7)):
        state, result = run(MODEL, jobs[1], state, *map(jnp.int32, (*bounds, 6)))
    np.testing.assert_allclose(result.image, alone.image, atol=1e-5)
    assert float(result.final_score) == pytest.approx(float(alone.final_score), rel=1e-4)


@pytest.mark.slow
def test_several_images_in_a_job_and_penalties_in_units_of_the_gradient_have_octaves() -> None:
    penalty = fvjax.Balanced(weight=0.1, penalty=fvjax.TotalVariation())
    made = RUN(MODEL, job(images_per_job=2, objective=fvjax.Dot() - penalty))
    assert made.image.shape == (2, 48, 48, 3) and bool(made.finite)
    assert float(made.final_score) > float(made.initial_score)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"position": "center"}, "position=all"),
        ({"parameterization": fvjax.CPPN(image_size=48)}, "CPPN has none"),
    ],
)
def test_what_octaves_cannot_do_is_said_before_a_program_is_compiled(
    choices: dict[str, Any], said: str
) -> None:
    size = None if "parameterization" in choices else 48
    one = job(**{**choices, "image_size": size})
    with pytest.raises(ValueError, match=said):
        jax.eval_shape(fvjax.visualize, MODEL, one)


@pytest.mark.parametrize(
    ("choices", "said"), [({"steps": 1}, "at least 2"), ({"stop_when_converged": True}, "last")]
)
def test_an_ascent_that_would_end_before_its_last_octave_is_refused(
    choices: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        job(**choices)


def test_a_tile_is_a_part_of_the_picture_and_all_pixels_are_seen(key: Array) -> None:
    rows = jnp.arange(6.0)[:, None] * 10 + jnp.arange(8.0)[None, :]
    image = jnp.broadcast_to(rows[..., None], (6, 8, 3)) / 100
    crop = RandomCrop(image_size=4, transform=Identity())
    views = jax.vmap(lambda k: crop(k, image))(jax.random.split(key, 400))
    assert views.shape == (400, 4, 4, 3)
    right = jnp.round((views[:, :, 1:] - views[:, :, :-1]) * 100)[..., 0]
    assert set(np.unique(right)) == {1.0, -7.0}  # neighbours stay neighbours, around the edge
    seen = np.array([int(jnp.sum(jnp.isclose(views, value / 100))) for value in rows.ravel()])
    assert seen.min() > 0.7 * seen.mean() and seen.max() < 1.3 * seen.mean()
    assert crop(key, image[:3]).shape == (3, 4, 3)


def test_a_step_on_a_tile_needs_the_memory_of_a_tile() -> None:
    def memory(size: int, transform: Any) -> int:
        one = job(image_size=size, octaves=1, transform=transform)
        step = jax.jit(lambda state: ascend(MODEL, one, 6, state, jnp.int32(0)))
        analysis = step.lower(start(MODEL, one)).compile().memory_analysis()
        return int(analysis.temp_size_in_bytes)

    crop, image = RandomCrop(image_size=32, transform=Identity()), 4 * 3 * 256**2  # bytes
    beyond_the_picture = memory(256, crop) - memory(32, Identity())
    assert beyond_the_picture < 6 * image
    assert memory(256, Identity()) > memory(256, crop) + 4 * image


@pytest.mark.parametrize("choices", [{"position": "center"}, {"position": [3, 3]}])
def test_a_position_of_a_tile_is_refused(choices: dict[str, Any]) -> None:
    one = job(octaves=1, transform=RandomCrop(image_size=32), **choices)
    with pytest.raises(ValueError, match="position=all"):
        jax.eval_shape(fvjax.visualize, MODEL, one)


@pytest.mark.slow
def test_a_cropping_transform_measures_robustness_on_its_tiles(key: Array) -> None:
    image = jax.random.uniform(key, (48, 48, 3))
    direction = fvjax.Direction(vector=jnp.ones(16), layer="conv2")
    read = jax.jit(partial(fvjax.measure, MODEL, direction))
    tiles = read(image, RandomCrop(image_size=32, transform=Identity()))
    whole = read(image, Identity())
    assert tiles["dot"] == pytest.approx(float(whole["dot"]), rel=1e-5)
    assert tiles["occlusion_support"] == pytest.approx(float(whole["occlusion_support"]))
    assert float(tiles["robust_dot"]) != float(whole["robust_dot"])
