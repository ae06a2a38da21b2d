"""A network may compute in less than float32; what is around it stays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import LUCID

import fvjax
from fvjax.models.model import PRECISIONS, Model, with_model_precision


@pytest.fixture(scope="module")
def model() -> Model:
    return fvjax.load("texturenet")


def job(model: Model, steps: int) -> fvjax.Job:
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=1.0, floor=0.1),
        parameterization=fvjax.Fourier(
            image_size=64, stddev=0.01, decay_power=1.0, decorrelate=True
        ),
        transform=LUCID,
        learning_rate=0.05,
        steps=steps,
        optimizer="adam",
    )
    vector = jnp.zeros(model.layers["conv4"][-1]).at[3].set(1.0)
    direction = fvjax.Direction(vector=vector, layer="conv4")
    return fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(0))


def products(model: Model) -> list[str]:
    """The network's convolutions and matrix products, forward and backward, as for a GPU."""

    @with_model_precision
    def slope(model: Model, image: Any) -> Any:
        return jax.grad(lambda x: jnp.sum(model(x)["logits"]))(image)

    image = jax.ShapeDtypeStruct((64, 64, 3), jnp.float32)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), model)
    with fvjax.for_platform("cuda"):
        text = jax.export.export(jax.jit(slope), platforms=["cuda"])(shapes, image).mlir_module()
    names = ("stablehlo.convolution", "stablehlo.dot_general")
    found = [line for line in text.splitlines() if any(name in line for name in names)]
    assert len(found) == 2 * 5 + 1  # of the readout only the gradient is needed
    return found


def test_every_product_of_network_and_gradient_has_the_precision(model: Model) -> None:
    assert all("HIGHEST" in line for line in products(model))
    tf32 = products(model.in_precision("tf32"))
    assert all("HIGH" in line and "HIGHEST" not in line for line in tf32)
    half = products(model.in_precision("bfloat16"))
    assert all("xbf16>" in line and "xf32>" not in line for line in half)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_activations_come_in_float32_and_agree(
    model: Model, precision: str, key: jax.Array
) -> None:
    image = jax.random.uniform(key, (64, 64, 3))
    other = model.in_precision(precision)
    plain, found = model(image), other(image)
    assert other.layers == model.layers
    for name, expected in plain.items():
        assert found[name].dtype == jnp.float32
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(found[name], expected, atol=0.02 * scale)


def test_offsets_reach_a_network_in_bfloat16(model: Model) -> None:
    half = model.in_precision("bfloat16")
    image = jnp.full((64, 64, 3), 0.5)
    offset = {"conv4": jnp.ones(model.layers["conv4"])}
    moved = half(image, offset)["conv4"] - half(image)["conv4"]
    np.testing.assert_allclose(moved, 1.0, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_a_picture_is_made_of_float32_numbers_in_any_precision(
    model: Model, precision: str
) -> None:
    made = jax.jit(fvjax.visualize)(model.in_precision(precision), job(model, 4))
    plain = jax.jit(fvjax.visualize)(model, job(model, 4))
    assert all(
        x.dtype == jnp.float32 for x in (made.image, made.final_score, *made.history.values())
    )
    np.testing.assert_allclose(made.initial_score, plain.initial_score, rtol=0.05)
    assert made.final_score > made.initial_score


def test_unknown_precision_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match=r"unknown precision 'bf16'.*did you mean bfloat16"):
        model.in_precision("bf16")
