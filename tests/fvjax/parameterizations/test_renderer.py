"""The generator as a prior: one-hot labels are the generator's image, and a label is found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import fvjax
from fvjax.data.nuisances import nuisances
from fvjax.data.patterns import SHAPES, TEXTURES
from fvjax.data.textures import HUES, render, render_mixed


@pytest.mark.parametrize(("shape", "texture", "hue"), [(0, 3, 5), (4, 6, 0), (7, 0, 7)])
def test_weights_of_one_are_the_generator_s_image(
    shape: int, texture: int, hue: int, key: Array
) -> None:
    drawn = nuisances(key)
    labels = {
        "shape": jax.nn.one_hot(shape, len(SHAPES)),
        "texture": jax.nn.one_hot(texture, len(TEXTURES)),
        "hue": jax.nn.one_hot(hue, len(HUES)),
    }
    expected = render(shape, texture, hue, drawn, key)
    np.testing.assert_allclose(render_mixed(labels, drawn, key), expected, atol=1e-5)


def test_an_ascent_finds_the_label_that_it_is_asked_for() -> None:
    model = fvjax.load("texturenet")
    index = model.classes.index("hue=green")
    direction = fvjax.Direction(vector=jax.nn.one_hot(index, len(model.classes)), layer="logits")
    job = fvjax.job(
        model,
        direction=direction,
        objective=fvjax.Dot(),
        parameterization=fvjax.Renderer(),
        transform=fvjax.transforms.Identity(),
        steps=40,
        learning_rate=0.2,
    )
    first = job.recipe.init(job.key)
    result = jax.jit(fvjax.visualize)(model, job)
    hues = jnp.array([name.startswith("hue=") for name in model.classes])
    probability = jax.nn.softmax(jnp.where(hues, model(result.image)["logits"], -jnp.inf))[index]
    assert float(probability) > 0.8 and result.final_score > result.initial_score
    assert first["hue"].shape == (len(HUES),)


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="images of 64 pixels"):
        fvjax.Renderer(image_size=32)
