"""Objectives are their formulas, written again here in plain numpy, and behave as pytrees."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DIRECTION, OBJECTIVES
from jax import Array

import fvjax
from fvjax import Direction, DotCosine
from fvjax.objectives.objective import Subtracted, parts
from fvjax.positions import place_of

H, W, C = 5, 4, 6
Activations = dict[str, Array]


def activations(height: int = H, width: int = W, seed: int = 0) -> Activations:
    """Random, with a zero vector, negative cosines, and one position along the direction."""
    draws = np.random.default_rng(seed)
    a = draws.normal(size=(height, width, C))
    a[0, 0] = 0
    a[1, 1] = -2 * np.asarray(V)
    a[2, 1] = 3 * np.asarray(V)
    b = draws.normal(size=(3, 3, 2))
    image = draws.uniform(size=(7, 8, 3))
    return {n: jnp.asarray(x, jnp.float32) for n, x in {"image": image, "b": b, "a": a}.items()}


V = np.array([1.0, -0.5, 2.0, 0.0, 0.3, -1.0])
D = Direction(vector=jnp.asarray(V, jnp.float32), layer="a")


def cosine_of(a: np.ndarray, v: np.ndarray) -> float:
    size = np.sqrt(a @ a) * np.sqrt(v @ v)
    return 0.0 if size == 0 else float(a @ v / size)


def lucid(a: np.ndarray, v: np.ndarray, power: float) -> float:
    """`_dot_cossim` as lucid.optvis has it: |v| stays, floor .1 on the cosine, mean of all."""
    total = 0.0
    for position in a.reshape(-1, a.shape[-1]):
        dot = float(position @ v)
        total += dot if power == 0 else dot * max(0.1, cosine_of(position, v)) ** power
    return total / (a.size // a.shape[-1])


def plain(f: Callable[[np.ndarray, np.ndarray], float], a: np.ndarray, v: np.ndarray) -> float:
    return float(np.mean([f(x, v) for x in a.reshape(-1, a.shape[-1])]))


def orthogonal_of(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    d = v / np.sqrt(v @ v)
    return x - (x @ d) * d


def close(found: Array, expected: Any) -> None:
    assert found.shape == ()
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def as_numpy(a: Array) -> np.ndarray:
    return np.asarray(a, np.float64)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_dot_cosine_is_lucid_s_divided_by_the_direction_s_length(
    exponent: float, seed: int
) -> None:
    seen = activations(seed=seed)
    expected = lucid(as_numpy(seen["a"]), V, exponent) / np.sqrt(V @ V)
    close(DotCosine(exponent=exponent, floor=0.1)(seen, D), expected)
    longer = Direction(vector=7 * D.vector, layer="a")
    close(DotCosine(exponent=exponent, floor=0.1)(seen, longer), expected)


def test_dot_cosine_s_floor_is_its_own() -> None:
    a, expected = as_numpy(activations()["a"]), 0.0
    for x in a.reshape(-1, C):
        expected += x @ V / np.sqrt(V @ V) * max(0.4, cosine_of(x, V)) ** 3 / (H * W)
    close(DotCosine(exponent=3.0, floor=0.4)(activations(), D), expected)


def test_two_negatives_make_no_reward() -> None:
    seen = {"a": -jnp.ones((2, 2, C)) * D.vector[None, None]}
    for exponent in (1.0, 2.0, 3.0):
        assert DotCosine(exponent=exponent, floor=0.1)(seen, D) < 0


@pytest.mark.parametrize("channel", [0, 3])
def test_channel_and_neuron_are_lucid_s(channel: int) -> None:
    seen, one_hot = activations(), Direction(vector=jax.nn.one_hot(channel, C), layer="a")
    dot = DotCosine(exponent=0.0, floor=0.1)
    close(dot(seen, one_hot), as_numpy(seen["a"])[..., channel].mean())
    neuron = as_numpy(seen["a"])[H // 2, W // 2, channel]
    middle = replace(one_hot, position=jnp.array([H // 2, W // 2]))
    close(dot(seen, middle), neuron)


def test_exponent_zero_is_the_dot_product_exactly() -> None:
    seen = activations()
    unit = D.vector / jnp.linalg.norm(D.vector)
    expected = jnp.mean(jnp.sum(seen["a"].reshape(-1, C) * unit[None], -1))
    for floor in (0.001, 0.1, 0.9):
        close(DotCosine(exponent=0.0, floor=floor)(seen, D), float(expected))


def test_the_other_formulas() -> None:
    seen = activations()
    a, b, image = (as_numpy(seen[n]) for n in ("a", "b", "image"))
    close(fvjax.Cosine()(seen, D), plain(cosine_of, a, V))
    error = plain(lambda x, v: float((x - v) @ (x - v)), a, V) / (V @ V)
    close(fvjax.Inversion()(seen, D), -error)
    rest = [np.sqrt(np.sum(orthogonal_of(x, V) ** 2)) for x in a.reshape(-1, C)]
    close(fvjax.OrthogonalNorm(squared=False)(seen, D), np.mean(rest))
    close(fvjax.OrthogonalNorm(squared=True)(seen, D), np.mean(np.square(rest)))
    close(fvjax.ActivationNorm(layer="b", order=1)(seen, D), np.abs(b).mean())
    close(fvjax.ActivationNorm(layer="b", order=2)(seen, D), (b**2).mean())
    down, across = image[1:] - image[:-1], image[:, 1:] - image[:, :-1]
    steps = np.concatenate([np.abs(down).ravel(), np.abs(across).ravel()])
    close(fvjax.TotalVariation()(seen, D), steps.mean())


def test_a_direction_of_full_shape_is_compared_position_by_position() -> None:
    seen, full = activations(), np.random.default_rng(5).normal(size=(H, W, C))
    direction = Direction(vector=jnp.asarray(full, jnp.float32), layer="a")
    a = as_numpy(seen["a"])
    pairs = list(zip(a.reshape(-1, C), full.reshape(-1, C), strict=True))
    close(fvjax.Cosine()(seen, direction), np.mean([cosine_of(x, v) for x, v in pairs]))
    dots = [lucid(x[None], v, 2.0) / np.sqrt(v @ v) for x, v in pairs]
    close(DotCosine(exponent=2.0, floor=0.1)(seen, direction), np.mean(dots))
    close(fvjax.Inversion()(seen, direction), -np.sum((a - full) ** 2) / np.sum(full**2))
    rest = [np.sqrt(np.sum(orthogonal_of(x, v) ** 2)) for x, v in pairs]
    close(fvjax.OrthogonalNorm(squared=False)(seen, direction), np.mean(rest))


@pytest.mark.parametrize(("height", "width"), [(5, 4), (4, 5), (6, 6), (7, 7)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("where", ["center", (0, 1)])
def test_a_position_is_seen_alone(height: int, width: int, full: bool, where: Any) -> None:
    seen = activations(height, width)
    vector = np.random.default_rng(6).normal(size=(height, width, C)) if full else V
    place = place_of(where, (height, width, C), "a")
    direction = Direction(vector=jnp.asarray(vector, jnp.float32), layer="a", position=place)
    at = (height // 2, width // 2) if where == "center" else where
    x, v = as_numpy(seen["a"])[at], vector[at] if full else vector
    for exponent in (0.0, 2.0):
        found = DotCosine(exponent=exponent)(seen, direction)
        close(found, lucid(x[None], v, exponent) / np.sqrt(v @ v))
    close(fvjax.Inversion()(seen, direction), -((x - v) @ (x - v)) / (v @ v))


def test_a_position_leaves_other_layers_the_image_and_logits_whole() -> None:
    seen = activations()
    middle = replace(D, position=jnp.array([2, 2]))
    penalty = fvjax.ActivationNorm(layer="b", order=1) + fvjax.TotalVariation()
    close(penalty(seen, middle), float(penalty(seen, D)))
    logits = {"a": seen["a"][2, 1]}
    dot = DotCosine(exponent=1.0)
    close(dot(logits, middle), float(dot(logits, D)))


def test_the_directions_own_layer_is_seen_at_its_position_in_any_space() -> None:
    seen = activations()
    seen["a@linear"] = 2 * seen["a"]
    middle = replace(D, position=jnp.array([1, 3]))
    for layer, factor in (("a", 1), ("a@linear", 2)):
        norm = fvjax.ActivationNorm(layer=layer)(seen, middle)
        close(norm, factor * np.abs(as_numpy(seen["a"])[1, 3]).mean())


def test_positions_share_a_program() -> None:
    seen, traces = activations(), []

    @jax.jit
    def score(direction: Direction) -> Array:
        traces.append(direction)
        return fvjax.Cosine()(seen, direction)

    for row in range(3):
        score(replace(D, position=jnp.array([row, 0], jnp.int32)))
    assert len(traces) == 1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [(5, 0), (0, 4), (-1, 0), (1,), "middle", (0.5, 1), True])
def test_places_outside_the_layer_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="position"):
        place_of(bad, (5, 4, 6), "a")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("position", [None, (0, 0)])
@pytest.mark.parametrize("shape", [(C + 1,), (H + 1, W, C), (H, W, C - 1), (1, 1, C), (2, C), ()])
def test_a_direction_that_does_not_fit_its_layer_is_refused(position: Any, shape: Any) -> None:
    place = None if position is None else jnp.array(position)
    direction = Direction(vector=jnp.ones(shape), layer="a", position=place)
    with pytest.raises(ValueError, match=r"does not fit layer 'a' of shape \(5, 4, 6\)"):
        fvjax.Cosine()(activations(), direction)


def test_inversion_of_a_silent_target_is_the_mean_square() -> None:
    seen, silent = activations(), Direction(vector=jnp.zeros(C), layer="a")
    close(
        fvjax.Inversion()(seen, silent), -plain(lambda x, _: float(x @ x), as_numpy(seen["a"]), V)
    )
    slopes = jax.grad(lambda a, d: fvjax.Inversion()({"a": a}, d), (0, 1))(seen["a"], silent)
    assert all(jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(slopes))
    np.testing.assert_allclose(slopes[0], -2 * seen["a"] / (H * W), rtol=1e-5)


def test_operators_are_arithmetic() -> None:
    seen, a, b = activations(), fvjax.Cosine(), fvjax.OrthogonalNorm(squared=True)
    x, y = float(a(seen, D)), float(b(seen, D))
    close((a + b)(seen, D), x + y)
    close((a - b)(seen, D), x - y)
    close((a * b)(seen, D), x * y)
    close((-a)(seen, D), -x)
    for three in (3, 3.0, np.float32(3), jnp.float32(3), np.int64(3)):
        close((a * three)(seen, D), 3 * x)
        close((three * a)(seen, D), 3 * x)
    close((a - 0.5 * b * a)(seen, D), x - 0.5 * y * x)
    with pytest.raises(ValueError, match="only an objective can be added"):
        a + 3  # type: ignore[operator]


def test_a_traced_weight_is_a_leaf() -> None:
    seen, a, b = activations(), fvjax.Cosine(), fvjax.OrthogonalNorm(squared=True)
    found = jax.jit(lambda w: (a - w * b)(seen, D))(0.25)
    close(found, float(a(seen, D)) - 0.25 * float(b(seen, D)))
    slope = jax.grad(lambda w: (a - w * b)(seen, D))(0.25)
    close(slope, -float(b(seen, D)))


def test_the_order_of_a_sum_is_irrelevant() -> None:
    seen = activations()
    terms = [fvjax.Cosine(), 2.0 * fvjax.TotalVariation(), DotCosine(exponent=1.0, floor=0.1)]
    a, b, c = terms
    close((a + b + c)(seen, D), float((c + b + a)(seen, D)))
    close(fvjax.Sum(terms=(a, b, c))(seen, D), float((b + (c + a))(seen, D)))


def test_parts_are_all_that_an_objective_wraps() -> None:
    inner = fvjax.Inversion()
    whole = fvjax.Cosine() - 0.1 * (inner * fvjax.TotalVariation())
    assert inner in list(parts(whole))
    assert sum(isinstance(p, (fvjax.Scaled, Subtracted)) for p in parts(whole)) == 2


def tiny_activations(a: Array) -> Activations:
    """All that the cases ask for, made from one array."""
    image = jax.nn.sigmoid(a[..., :3])
    weights = jnp.broadcast_to(jnp.linspace(0.0, 1.0, 8), (*a.shape[:-1], 8))
    seen = {"image": image, "conv1": a[..., :8], "conv1@irrelevance": weights, "conv2": a}
    return seen | {"conv1@anchor": jnp.full((*a.shape[:-1], 8), 0.3)}


CASES = pytest.mark.parametrize("name", list(OBJECTIVES))


@CASES
def test_gradients_are_finite_at_zero_activations(name: str) -> None:
    zero = jnp.zeros((4, 4, 16))
    slope = jax.grad(lambda a: OBJECTIVES[name](tiny_activations(a), DIRECTION))(zero)
    assert jnp.all(jnp.isfinite(slope))
    leaves = jax.grad(lambda o: o(tiny_activations(zero), DIRECTION), allow_int=True)(
        OBJECTIVES[name]
    )
    assert all(jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(leaves))


@CASES
def test_gradients_match_central_differences(name: str, key: Array) -> None:
    # Kinks (|x|, max) lie at 0 and at cosine .1: random activations are not within a step of one.
    a, along = jax.random.normal(key, (2, 4, 4, 16))

    def score(a: Array) -> Array:
        return OBJECTIVES[name](tiny_activations(a), DIRECTION)

    with jax.enable_x64(True):
        a64, along64 = (jnp.asarray(np.asarray(x), jnp.float64) for x in (a, along))
        step = 1e-6
        difference = (score(a64 + step * along64) - score(a64 - step * along64)) / (2 * step)
        slope = jnp.sum(jax.grad(score)(a64) * along64)
    assert abs(float(slope)) > 1e-5
    if name != "blur":  # its blurred copy is held fixed
        np.testing.assert_allclose(slope, difference, rtol=1e-5)


@CASES
def test_vmap_over_stacked_instances_equals_a_loop(name: str, key: Array) -> None:
    seen = tiny_activations(jax.random.normal(key, (4, 4, 16)))
    variants = [jax.tree.map(lambda x, s=s: s * x, OBJECTIVES[name]) for s in (1.0, 0.5, 0.25)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *variants)
    directions = [Direction(vector=DIRECTION.vector + s, layer="conv2") for s in (0.0, 1.0, -1.0)]
    vectors = jax.tree.map(lambda *x: jnp.stack(x), *directions)
    found = jax.vmap(lambda o, d: o(seen, d))(stacked, vectors)
    looped = [o(seen, d) for o, d in zip(variants, directions, strict=True)]
    np.testing.assert_allclose(found, jnp.stack(looped), rtol=1e-5, atol=1e-6)


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: DotCosine(exponent=0.0, floor=0.0), "floor must be a positive finite number, got 0"),
    (lambda: DotCosine(exponent=0.0, floor=-0.1), "floor must be a positive"),
    (lambda: DotCosine(exponent=0.0, floor=float("nan")), "floor must be a positive"),
    (lambda: DotCosine(exponent=-1.0, floor=0.1), "exponent must be .* at least 0, got -1"),
    (lambda: DotCosine(exponent=float("inf"), floor=0.1), "exponent must be"),
    (lambda: DotCosine(exponent=np.float32(-1), floor=0.1), "exponent must be"),  # type: ignore[arg-type]
    (lambda: DotCosine(exponent=None, floor=0.1), "exponent must be a number, got None"),  # type: ignore[arg-type]
    (lambda: DotCosine(exponent=[1], floor=0.1), r"exponent must be a number, got \[1\]"),  # type: ignore[arg-type]
    (lambda: DotCosine(exponent=1.0, floor={}), "floor must be a number, got {}"),  # type: ignore[arg-type]
    (lambda: fvjax.Cosine() * "2", "weight must be a number, got '2'"),  # type: ignore[operator]
    (lambda: float("nan") * fvjax.Cosine(), "weight must be a finite number, got nan"),
    (lambda: fvjax.Scaled(weight=float("inf"), objective=fvjax.Cosine()), "weight must be"),
    (lambda: fvjax.ActivationNorm(layer="a", order=3), "unknown order 3"),
    (lambda: fvjax.OrthogonalNorm(squared="no"), "squared must be true or false, got 'no'"),  # type: ignore[arg-type]
    (lambda: fvjax.OrthogonalNorm(squared=0), "squared must be true or false, got 0"),  # type: ignore[arg-type]
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("build", "message"), BAD)
def test_bad_hyperparameters_are_refused_at_construction(
    build: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@CASES
def test_jit_vmap_grad_and_unflatten_pass_the_checks(name: str) -> None:
    objective = OBJECTIVES[name]
    leaves, tree = jax.tree.flatten(objective)
    jax.tree.unflatten(tree, [object() for _ in leaves])
    for placeholder in (jax.ShapeDtypeStruct((), jnp.float32), np.zeros(2), jnp.zeros(2)):
        jax.tree.unflatten(tree, [placeholder for _ in leaves])
    jax.eval_shape(lambda o: o, objective)
    stacked = jax.tree.map(lambda x: jnp.stack([jnp.float32(x)] * 2), objective)
    jax.vmap(lambda o, _: o, axis_size=2)(stacked, jnp.arange(2))
    assert isinstance(jax.jit(lambda o: o)(objective), type(objective))
