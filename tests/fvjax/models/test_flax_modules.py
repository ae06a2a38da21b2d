"""Modules of flax with BatchNorm and Dropout, gray networks, and layers that are refused."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import fvjax
from fvjax.models.model import Record
from fvjax.reference.activation_statistics import fingerprint

IMAGE = jax.random.uniform(jax.random.key(5), (16, 16, 3))


class LinenNetwork(nn.Module):
    @nn.compact
    def __call__(self, image: Any, record: Any, train: bool = True) -> None:
        x = nn.Conv(4, (3, 3))(image)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = record("block/relu", nn.relu(x))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        record("head", nn.Dense(3)(x.mean((0, 1))))


class NnxNetwork(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, image: Any, record: Any) -> None:
        x = record("block/relu", nnx.relu(self.norm(self.conv(image))))
        record("head", self.dropout(x).mean((0, 1)))


def linen() -> tuple[LinenNetwork, Any]:
    module = LinenNetwork()
    with jax.numpy_rank_promotion("allow"):
        variables = module.init(jax.random.key(0), IMAGE, Record({}, False), train=False)
    return module, variables


def visualized(model: fvjax.Model, layer: str) -> fvjax.Result:
    result: fvjax.Result = jax.jit(fvjax.visualize)(model, fvjax.job(model, layer=layer, steps=3))
    return result


@pytest.mark.slow
def test_linen_modules_bring_all_their_variables() -> None:
    module, variables = linen()
    shifted = {
        **variables,
        "batch_stats": jax.tree.map(lambda x: x + 1.0, variables["batch_stats"]),
    }
    with jax.numpy_rank_promotion("allow"):
        models = [
            fvjax.from_linen(module, v, image_size=16, default_layer="block/relu", train=False)
            for v in (variables, shifted)
        ]
        found = [np.asarray(model(IMAGE)["block/relu"]) for model in models]
        assert visualized(models[0], "block/relu").image.shape == (16, 16, 3)
    assert np.abs(found[0] - found[1]).max() > 0.1
    assert fingerprint(models[0]) != fingerprint(models[1])
    assert models[0].previous("head") == "block/relu"


def test_linen_modules_in_training_mode_are_refused() -> None:
    module, variables = linen()
    with jax.numpy_rank_promotion("allow"), pytest.raises(ValueError, match="such as train=False"):
        fvjax.from_linen(module, variables, image_size=16)
    with pytest.raises(ValueError, match="init returned"):
        fvjax.from_linen(module, variables["params"], image_size=16, train=False)


@pytest.mark.slow
def test_nnx_modules_run_in_eval_mode_and_stay_as_they_are() -> None:
    module = NnxNetwork(nnx.Rngs(0))
    model = fvjax.from_nnx(module, image_size=16)
    assert not module.dropout.deterministic
    first, second = model(IMAGE), jax.jit(lambda m, x: m(x))(model, IMAGE)
    np.testing.assert_allclose(first["head"], first["block/relu"].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(first["head"], second["head"], rtol=1e-4, atol=1e-6)
    assert visualized(model, "block/relu").image.shape == (16, 16, 3)
    assert fingerprint(model) == fingerprint(fvjax.from_nnx(module, image_size=16))
    assert fingerprint(model) != fingerprint(fvjax.from_nnx(NnxNetwork(nnx.Rngs(1)), image_size=16))
    bfloat = model.in_precision("bfloat16")
    assert float(jnp.abs(bfloat(IMAGE)["head"] - first["head"]).max()) < 0.1


def gray(weights: Any, image: Any, record: Any) -> None:
    assert image.shape[-1] == 1
    record("luma", image * weights)


@pytest.mark.slow
def test_gray_networks_receive_the_luma() -> None:
    model = fvjax.Model.from_function(gray, jnp.ones(()), image_size=(16, 16), channels=1)
    expected = np.asarray(IMAGE) @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(model(IMAGE)["luma"][..., 0], expected, rtol=1e-5)
    assert model(IMAGE)["image"].shape == (16, 16, 3)
    assert visualized(model, "luma").image.shape == (16, 16, 3)
    with pytest.raises(ValueError, match="channels must be 3"):
        fvjax.Model.from_function(gray, jnp.ones(()), image_size=16, channels=4)


@pytest.mark.parametrize("shape", [(1, 4, 4, 2), (1, 7), (1, 5, 7), (), (2, 4, 4, 2)])
def test_batch_axes_are_refused(shape: Any) -> None:
    def network(weights: Any, image: Any, record: Any) -> None:
        record("fine", image)
        record("odd", jnp.zeros(shape) + image.mean())

    with pytest.raises(ValueError, match=r"layer 'odd' has the shape \("):
        fvjax.Model.from_function(network, {}, image_size=16)


@pytest.mark.parametrize("shape", [(65, 8), (4, 4, 2), (1, 1, 8), (7,)])
def test_tokens_images_and_channels_are_layers(shape: Any) -> None:
    def network(weights: Any, image: Any, record: Any) -> None:
        record("layer", jnp.zeros(shape) + image.mean())

    model = fvjax.Model.from_function(network, {}, image_size=16)
    assert model.layers == {"layer": shape}
    position: Any = [0] * (len(shape) - 1) or "all"
    job = fvjax.job(model, layer="layer", position=position, steps=1)
    assert jax.jit(fvjax.visualize)(model, job).final_score.shape == ()


def test_a_network_may_be_wide_and_flat() -> None:
    def network(weights: Any, image: Any, record: Any) -> None:
        record("line", image[:1])

    assert fvjax.Model.from_function(network, {}, image_size=(1, 20)).layers["line"] == (1, 20, 3)


def test_an_unknown_layer_is_refused_with_the_main_path_first() -> None:
    def network(weights: Any, image: Any, record: Any) -> None:
        for number in range(40):
            record(f"branch{number}", image, main=False)
        record("trunk", image)

    model = fvjax.Model.from_function(network, {}, image_size=8)
    with pytest.raises(ValueError, match="it is one of trunk, branch0"):
        model.require_layer("mixed9z")
