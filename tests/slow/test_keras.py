"""Keras's functional models through `from_keras`, against Keras."""

import os
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fvjax
from fvjax.models.keras import from_keras_factory

if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)


def branched() -> Any:
    """A skip, a layer called twice, and a ReLU layer."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(6, 3, 2, padding="same", name="stem")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="act")(x)
    shared = keras.layers.Conv2D(6, 3, padding="same", name="shared")
    y = shared(shared(x))
    x = keras.layers.Add(name="block")([x, y])
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Dense(5, name="head")(x))


def picture() -> jax.Array:
    return jnp.asarray(np.random.RandomState(0).rand(16, 16, 3), jnp.float32)


def test_layers_are_keras_own() -> None:
    net = branched()
    outputs = {layer.name: layer.output for layer in net.layers if layer.name != "shared"}
    given = ((np.asarray(picture()) - MEAN) / STD)[None].astype(np.float32)
    with jax.numpy_rank_promotion("allow"):
        theirs = keras.Model(net.input, outputs)(given)
    model = fvjax.from_keras(net, 16, mean=MEAN, std=STD)
    names = ("stem", "norm", "act", "shared", "shared_1", "block", "pool", "head")
    assert tuple(model.layers) == names
    assert list(model.main_layers) == ["act", "block", "pool", "head"]
    assert model.default_layer == "block" and model.previous("block") == "act"
    found = jax.jit(lambda model, image: model(image))(model, picture())
    for name, expected in theirs.items():
        if name in found:
            np.testing.assert_allclose(found[name], expected[0], atol=1e-5, err_msg=name)


def test_offsets_and_redirection_reach_the_layers() -> None:
    net = branched()
    net.get_layer("norm").beta.assign(jnp.full(6, -50.0))
    model = fvjax.from_keras(net, 16, mean=MEAN, std=STD)
    shape = model.layers["block"]

    def logit(offset: jax.Array) -> jax.Array:
        return model(picture(), {"block": offset})["head"][2]

    slope = jax.grad(logit)(jnp.zeros(shape))
    np.testing.assert_allclose(slope[0, 0] * 64, net.get_layer("head").kernel[:, 2], rtol=1e-4)

    def height(image: jax.Array, redirect: bool) -> jax.Array:
        return model(image, redirect=redirect)["act"].mean()

    gradients = [jax.grad(height)(picture(), redirect) for redirect in (False, True)]
    assert np.abs(gradients[0]).max() == 0 < np.abs(gradients[1]).max()


def test_applications_bring_their_preprocessing() -> None:
    given = {"weights": None, "alpha": 0.25}
    model = from_keras_factory("keras.applications.MobileNet", 32, arguments=given)
    image = jnp.full((32, 32, 3), 0.75)
    network: Any = model.network
    np.testing.assert_allclose(network.preprocess(image), 0.5, rtol=1e-5)  # from -1 to 1
    assert model.layers["predictions"] == (1000,)


def test_what_is_no_functional_model_is_refused() -> None:
    class Own(keras.Model):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x

    for wrong in (Own(), "net"):
        with pytest.raises(ValueError, match="must be a functional or sequential"):
            fvjax.from_keras(wrong, 16, mean=MEAN, std=STD)
    with pytest.raises(ValueError, match="give mean and std"):
        fvjax.from_keras(branched(), 16)
