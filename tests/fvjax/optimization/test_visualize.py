"""The loop ascends, one program serves every hyperparameter, and no image sees its neighbours."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CHANNELS, DIRECTION, LUCID, OBJECTIVES, PARAMETERIZATIONS
from jax import Array

import fvjax
from fvjax import Direction, DotCosine, Job, Recipe, Result
from fvjax.models import Model, Record
from fvjax.models.tiny import tiny
from fvjax.ops import layers
from fvjax.optimization.ascent import MAX_REVIVE_STEPS
from fvjax.optimization.score import score_of
from fvjax.transforms import Identity

MODEL = tiny()
FOURIER = PARAMETERIZATIONS["fourier"]
DOT = DotCosine(exponent=0.0, floor=0.1)


def job(
    objective: Any = DOT,
    *,
    steps: int = 3,
    learning_rate: float = 0.05,
    seed: int = 0,
    vector: Array = DIRECTION.vector,
    optimizer: str = "adam",
    transform: Any = LUCID,
) -> Job:
    recipe = Recipe(
        objective=objective,
        parameterization=FOURIER,
        transform=transform,
        learning_rate=jnp.float32(learning_rate),
        steps=steps,
        optimizer=optimizer,
    )
    direction = Direction(vector=vector, layer=DIRECTION.layer)
    return Job(recipe=recipe, direction=direction, key=jax.random.key(seed))


def penalised(exponent: float, weight: float) -> Any:
    score = DotCosine(exponent=jnp.float32(exponent), floor=jnp.float32(0.1))
    return score - jnp.float32(weight) * fvjax.OrthogonalNorm(squared=False)


def stack(jobs: list[Job]) -> Job:
    return jax.tree.map(lambda *x: jnp.stack([jnp.asarray(y) for y in x]), *jobs)


def counted() -> tuple[list[int], Callable[[Model, Job], Result]]:
    """A jitted `visualize` and a list that grows with every trace."""
    traces: list[int] = []

    @jax.jit
    def run(model: Model, job: Job) -> Result:
        traces.append(1)
        return fvjax.visualize(model, job)

    return traces, run


def random_vector(seed: int) -> Array:
    return jax.random.normal(jax.random.key(seed), (CHANNELS,))


VARIED = [
    job(penalised(exponent, weight), learning_rate=rate, seed=seed, vector=random_vector(seed))
    for exponent, weight, rate, seed in (
        (0.0, 0.0, 0.05, 0),
        (1.0, 0.0, 0.05, 1),
        (2.0, 0.1, 0.1, 2),
        (4.0, 1.0, 0.01, 3),
    )
]


@pytest.fixture(scope="module")
def batch() -> Callable[[Job], Result]:
    """Chunks of four, in one program."""
    run = jax.jit(jax.vmap(fvjax.visualize, in_axes=(None, 0)))
    return lambda jobs: run(MODEL, jobs)


@pytest.fixture(scope="module")
def varied(batch: Callable[[Job], Result]) -> Result:
    return batch(stack(VARIED))


def test_a_sweep_of_hyperparameters_directions_and_seeds_is_one_trace() -> None:
    traces, run = counted()
    images = [run(MODEL, one).image for one in VARIED]
    run(tiny(seed=5), VARIED[0])  # other weights
    assert len(traces) == 1
    assert len({np.asarray(i).tobytes() for i in images}) == len(images)
    assert run._cache_size() == 1  # type: ignore[attr-defined]
    run(MODEL, job(penalised(0.0, 0.0), steps=4))
    assert len(traces) == 2
    run(MODEL, job(DOT))
    assert len(traces) == 3


@pytest.mark.slow
def test_a_step_is_traced_and_batched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traced, batched = [], []

    @jax.custom_batching.custom_vmap
    def probe(x: Array) -> Array:
        return x

    @probe.def_vmap
    def _(size: int, axes: Any, x: Array) -> tuple[Array, bool]:
        batched.append(1)
        return x, True

    def score(*given: Any) -> Any:
        traced.append(1)
        value, seen = score_of(*given)
        return value, seen | {"dot": probe(jax.lax.stop_gradient(seen["dot"]))}

    monkeypatch.setattr(sys.modules["fvjax.optimization.ascent"], "score_of", score)
    jax.jit(jax.vmap(fvjax.visualize, in_axes=(None, 0))).trace(MODEL, stack(VARIED))
    assert (len(traced), len(batched)) == (1, 1)


def test_no_score_depends_on_another_image_s_parameters(key: Array) -> None:
    jobs = stack(VARIED)

    def scores(params: Array) -> Array:
        def one(job: Job, params: Array) -> Array:
            image = job.recipe.parameterization.decode(params)

            def views(image: Array, number: Any) -> Array:
                return job.recipe.transform(job.key, image)

            return score_of(MODEL, job, image, views, jnp.asarray(True))[0]

        return jax.vmap(one)(jobs, params)

    params = jax.vmap(FOURIER.init)(jax.random.split(key, 4))
    slopes = jax.jit(jax.jacrev(scores))(params)
    for i in range(4):
        for j in range(4):
            assert bool(jnp.any(slopes[i, j] != 0)) == (i == j)


def test_an_image_is_bit_equal_whatever_its_neighbours(
    batch: Callable[[Job], Result], varied: Result
) -> None:
    others = [job(penalised(3.0, 5.0), seed=s, vector=random_vector(s)) for s in (7, 8, 9)]
    again = batch(stack([VARIED[0], *others]))
    for one, other in zip(jax.tree.leaves(varied), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_a_diverging_neighbour_changes_nothing(
    batch: Callable[[Job], Result], varied: Result
) -> None:
    wild = job(penalised(1.0, 0.0), learning_rate=1e38, seed=1)
    again = batch(stack([*VARIED[:3], wild]))
    np.testing.assert_array_equal(again.image[:3], varied.image[:3])
    np.testing.assert_array_equal(again.finite, jnp.array([True, True, True, False]))
    assert jnp.all(varied.finite)


def test_lanes_in_another_order_agree(batch: Callable[[Job], Result], varied: Result) -> None:
    order = jnp.array([2, 0, 3, 1])
    again = batch(stack([VARIED[i] for i in order]))
    np.testing.assert_allclose(again.image, varied.image[order], atol=1e-6)
    np.testing.assert_allclose(again.final_score, varied.final_score[order], rtol=1e-5, atol=1e-6)


def test_a_batch_is_its_jobs_one_by_one(varied: Result) -> None:
    run = jax.jit(fvjax.visualize)
    for i, one in enumerate(VARIED):
        result = run(MODEL, one)
        np.testing.assert_allclose(result.image, varied.image[i], atol=1e-5)
        np.testing.assert_allclose(result.final_score, varied.final_score[i], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_same_seed_draws_the_same_start_and_the_same_views_for_every_objective() -> None:
    # A learning rate of almost 0 keeps the image: all that moves the measured dot is the views.
    histories = []
    for objective in (DOT, fvjax.Cosine(), fvjax.Inversion()):
        still = job(objective, steps=6, learning_rate=1e-12)
        histories.append(jax.jit(fvjax.visualize)(MODEL, still))
    for other in histories[1:]:
        np.testing.assert_allclose(other.image, histories[0].image, atol=1e-6)
        for name in ("dot", "cosine", "norm", "orthogonal"):
            np.testing.assert_allclose(
                other.history[name], histories[0].history[name], rtol=1e-5, atol=1e-6
            )
    dots = np.asarray(histories[0].history["dot"])
    assert len(np.unique(dots)) == 6  # every step has its own view
    another = jax.jit(fvjax.visualize)(MODEL, job(steps=6, learning_rate=1e-12, seed=1))
    assert np.abs(another.history["dot"] - dots).min() > 1e-6


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "rmsprop"])
def test_a_thousand_times_the_score_makes_the_same_picture(optimizer: str) -> None:
    run = jax.jit(fvjax.visualize)
    for objective in (DOT, fvjax.Cosine()) if optimizer == "adam" else (DOT,):
        one = run(MODEL, job(1.0 * objective, steps=8, optimizer=optimizer))
        thousand = run(MODEL, job(1000.0 * objective, steps=8, optimizer=optimizer))
        np.testing.assert_allclose(thousand.image, one.image, atol=2e-5)
        np.testing.assert_allclose(thousand.final_score, 1000 * one.final_score, rtol=1e-4)
        assert float(jnp.abs(one.image - 0.5).max()) > 0.05  # the picture did move


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_ascent_raises_the_score_of_every_objective(name: str) -> None:
    result = jax.jit(fvjax.visualize)(MODEL, job(OBJECTIVES[name], steps=8, transform=Identity()))
    assert result.finite
    assert result.final_score > result.initial_score
    np.testing.assert_allclose(
        result.history["score"][0], result.initial_score, rtol=1e-4, atol=1e-6
    )
    assert jnp.all(result.history["gradient_norm"] > 0)


def test_history_is_of_each_step_and_the_result_of_the_final_image() -> None:
    one = job(penalised(1.0, 0.2), steps=5)
    result = jax.jit(fvjax.visualize)(MODEL, one)
    names = {"score", "dot", "cosine", "norm", "orthogonal", "gradient_norm"}
    assert {n: h.shape for n, h in result.history.items()} == dict.fromkeys(names, (5,))
    assert result.image.shape == (32, 32, 3) and result.image.dtype == jnp.float32
    objective, direction = one.recipe.objective, one.direction
    assert isinstance(direction, fvjax.Direction)
    score = objective(MODEL(result.image), direction)
    np.testing.assert_allclose(result.final_score, score, rtol=1e-4, atol=1e-6)
    start, steps = jax.random.split(one.key)
    image = FOURIER.decode(FOURIER.init(start))
    np.testing.assert_allclose(
        result.initial_score,
        objective(MODEL(image), direction),
        rtol=1e-4,
        atol=1e-6,
    )
    view = LUCID(jax.random.fold_in(steps, 0), image)
    seen = objective(MODEL(view), direction)
    np.testing.assert_allclose(result.history["score"][0], seen, rtol=1e-4, atol=1e-6)


def network(weights: Array, image: Array, record: Record) -> None:
    """Two units of the mean colour: one that bright images wake, and its opposite."""
    light = jnp.mean(image, (0, 1), keepdims=True).mean(-1, keepdims=True)
    x = jnp.concatenate([light, -light], -1) * 10 + weights[None, None]
    record("units", layers.relu(x, record.redirect))


def unit_job(channel: int, penalty: float = 0.0, steps: int = 20) -> Job:
    objective = DOT - penalty * fvjax.OrthogonalNorm(squared=False)
    recipe = job(objective, steps=steps, transform=Identity()).recipe
    direction = Direction(vector=jax.nn.one_hot(channel, 2), layer="units")
    return Job(recipe=recipe, direction=direction, key=jax.random.key(0))


@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_a_unit_that_sleeps_is_woken_and_one_that_cannot_wake_is_flagged(penalty: float) -> None:
    # Light starts at .5, the first unit at 10 · .5 + shift.
    def run(shift: float) -> Result:
        model = Model.from_function(network, jnp.array([shift, 6.0]), image_size=(32, 32))
        return jax.jit(fvjax.visualize)(model, unit_job(0, penalty))

    awake, is_dead, hopeless = run(-4.0), run(-5.2), run(-1000.0)
    assert not awake.dead and awake.history["dot"][0] > 0
    assert is_dead.history["dot"][0] == 0 and not is_dead.dead and is_dead.history["dot"][-1] > 0
    assert hopeless.dead and hopeless.finite
    assert jnp.any(hopeless.history["gradient_norm"][:MAX_REVIVE_STEPS] > 0)


def test_redirection_ends() -> None:
    model = Model.from_function(network, jnp.array([-1000.0, 6.0]), image_size=(32, 32))
    pushed = jax.jit(fvjax.visualize)(model, unit_job(0)).history["gradient_norm"]
    assert jnp.all(pushed[:MAX_REVIVE_STEPS] > 0) and jnp.all(pushed[MAX_REVIVE_STEPS:] == 0)


def test_an_absurd_learning_rate_is_not_finite() -> None:
    assert not jax.jit(fvjax.visualize)(MODEL, job(learning_rate=1e38)).finite
    assert jax.jit(fvjax.visualize)(MODEL, job(learning_rate=0.05)).finite


def test_a_target_from_an_image_is_seen_under_each_step_s_own_view(key: Array) -> None:
    image = jax.random.uniform(key, (32, 32, 3))
    target = fvjax.FromImage(image=image, layer="conv2")
    view = LUCID(jax.random.key(4), image)
    resolved = target.resolve(MODEL, lambda seen: LUCID(jax.random.key(4), seen))
    np.testing.assert_allclose(resolved.vector, MODEL(view)["conv2"], atol=1e-6)
    one = job(fvjax.Inversion(), steps=8).replace(direction=target)  # type: ignore[attr-defined]
    result = jax.jit(fvjax.visualize)(MODEL, one)
    assert result.finite and result.final_score > result.initial_score
    # The image itself is matched perfectly under any view.
    score, _ = score_of(MODEL, one, image, lambda x, _: LUCID(jax.random.key(8), x))
    np.testing.assert_allclose(score, 0, atol=1e-6)
    slope = jax.grad(lambda i: jnp.sum(replace(target, image=i).resolve(MODEL, lambda x: x).vector))
    assert not jnp.any(slope(image))


def test_penalties_of_the_image_see_it_before_the_transform(key: Array) -> None:
    image = jax.random.uniform(key, (32, 32, 3))
    one = job(fvjax.TotalVariation())
    score, _ = score_of(MODEL, one, image, lambda x, _: LUCID(jax.random.key(3), x))
    np.testing.assert_allclose(score, fvjax.TotalVariation()({"image": image}, DIRECTION))


def test_wrong_shapes_are_found_by_a_dry_run() -> None:
    wrong = job(vector=jnp.ones(CHANNELS + 1))
    with pytest.raises(ValueError, match=r"\(17,\) does not fit layer 'conv2'"):
        jax.eval_shape(fvjax.visualize, MODEL, wrong)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"steps": 2.0}, "steps must be an integer"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive finite number, got 0.0"),
        ({"optimizer": "adma"}, "unknown optimizer 'adma'.*did you mean adam"),
    ],
)
def test_bad_recipes_are_refused(bad: dict[str, Any], message: str) -> None:
    good = {"steps": 3, "learning_rate": 0.05, "optimizer": "adam"}
    parts = {"objective": DOT, "parameterization": FOURIER, "transform": LUCID}
    with pytest.raises(ValueError, match=message):
        Recipe(**(parts | good | bad))


def half_asleep(weights: Any, image: Array, record: Record) -> None:
    """Two hidden channels, one of which sleeps, and a sum of them."""
    hidden = layers.conv(image, weights) - jnp.array([[[0.0, 10.0]]])
    hidden = record("hidden", layers.relu(hidden, record.redirect))
    record("out", hidden.sum(-1, keepdims=True))


@pytest.mark.slow
def test_an_awake_direction_is_not_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = jnp.array([[[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]])
    model = Model.from_function(half_asleep, weights, image_size=(32, 32))
    recipe = job(steps=6).recipe
    awake = Job(
        recipe=recipe, direction=Direction(vector=jnp.ones(1), layer="out"), key=jax.random.key(0)
    )
    made = fvjax.visualize(model, awake)
    assert made.history["dot"][0] > 0
    monkeypatch.setattr(sys.modules["fvjax.optimization.ascent"], "MAX_REVIVE_STEPS", 0)
    assert jnp.array_equal(made.image, fvjax.visualize(model, awake).image)


def silent_readout(weights: Any, image: Array, record: Record) -> None:
    """A readout that is never 0, of hidden channels that are silent on a grey image."""
    hidden = layers.conv(image, weights) - 0.6
    hidden = record("hidden", layers.relu(hidden, record.redirect))
    record("logits", 1.0 + hidden.mean((0, 1)))


@pytest.mark.slow
def test_a_readout_whose_channels_all_sleep_is_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = jnp.array([[[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]])
    model = Model.from_function(silent_readout, weights, image_size=(32, 32))
    direction = Direction(vector=jnp.array([1.0, 0.0]), layer="logits")
    sleeper = Job(recipe=job(steps=20).recipe, direction=direction, key=jax.random.key(0))
    woken = fvjax.visualize(model, sleeper)
    assert woken.history["gradient_norm"][0] == 0 and woken.final_score > 1.0 and not woken.dead
    monkeypatch.setattr(sys.modules["fvjax.optimization.ascent"], "MAX_REVIVE_STEPS", 0)
    grey = fvjax.visualize(model, sleeper)
    assert grey.final_score == 1.0 and grey.dead


def compiled_step(network: Any, layer: str) -> Any:
    weights = [jax.random.normal(jax.random.key(i), (3, 3, 8, 8)) for i in range(3)]
    model = Model.from_function(network, weights, image_size=(32, 32))
    direction = Direction(vector=jnp.ones(8), layer=layer)
    return jax.jit(fvjax.visualize).lower(model, replace(job(), direction=direction)).compile()


def three(weights: Any, image: Array, record: Record) -> None:
    x = jnp.concatenate([image, image, image[..., :2]], -1)
    for i, kernel in enumerate(weights):
        x = record(f"layer{i}", layers.relu(layers.conv(x, kernel), record.redirect))


def first_of_three(weights: Any, image: Array, record: Record) -> None:
    three(weights[:1], image, record)


@pytest.mark.slow
def test_nothing_above_the_deepest_layer_that_a_score_uses_is_computed() -> None:
    low, cut, high = (
        compiled_step(*case).cost_analysis()["flops"]
        for case in ((three, "layer0"), (first_of_three, "layer0"), (three, "layer2"))
    )
    assert low == cut and high > 1.5 * low


def test_no_convolution_of_a_whole_step_has_the_slow_kernel_layout() -> None:
    text = compiled_step(three, "layer2").as_text()
    layouts = re.findall(r"dim_labels=\w+_(\w+)->", text)
    assert len(layouts) >= 6 and "01oi" not in layouts


@pytest.mark.slow
def test_a_line_search_needs_few_steps_where_nothing_is_random() -> None:
    """L-BFGS matches an activation better than as many steps of Adam."""
    image = jax.random.uniform(jax.random.key(3), (32, 32, 3), minval=0.3, maxval=0.7)
    target = fvjax.FromImage(image=image, layer="conv1")
    scores = {}
    for optimizer in ("adam", "lbfgs"):
        one = job(fvjax.Inversion(), steps=24, transform=Identity())
        recipe = one.recipe.replace(optimizer=optimizer)  # type: ignore[attr-defined]
        made = jax.jit(fvjax.visualize)(MODEL, one.replace(recipe=recipe, direction=target))  # type: ignore[attr-defined]
        assert made.finite
        scores[optimizer] = float(made.final_score)
    assert scores["lbfgs"] > 0.9 * scores["adam"]  # errors are negative scores


@pytest.mark.slow
def test_line_searches_of_several_jobs_end_each_for_itself_through_wide_layers() -> None:
    model, keys = fvjax.load("texturenet"), jax.random.split(jax.random.key(3), 2)
    images = jax.vmap(lambda k: jax.random.uniform(k, (32, 32, 3), minval=0.3, maxval=0.7))(keys)

    def made(image: Array) -> fvjax.Result:
        one = job(fvjax.Inversion(), steps=3, transform=Identity())
        recipe = one.recipe.replace(optimizer="lbfgs")  # type: ignore[attr-defined]
        target = fvjax.FromImage(image=image, layer="conv2")
        return fvjax.visualize(model, one.replace(recipe=recipe, direction=target))  # type: ignore[attr-defined]

    found = jax.jit(jax.vmap(made))(images)
    assert found.finite.all() and (found.final_score > found.initial_score).all()
