"""The readout of a network: where its classes are."""

import jax
import jax.numpy as jnp
import pytest

import fvjax
from fvjax.models.model import Model, Record
from fvjax.models.readout import readout
from fvjax.sources import Logit
from fvjax.sources.setup import Setup


def ends_in_channels(weights: object, image: jax.Array, record: Record) -> None:
    x = record("body", image @ jnp.ones((3, 4)))
    x = record("pooled", x.mean((0, 1)))
    record("aside", x[:2], main=False)
    record("head", x * 2)


def ends_in_an_image(weights: object, image: jax.Array, record: Record) -> None:
    record("body", image)


def test_the_readout_is_the_last_main_layer_of_channels_alone() -> None:
    assert readout(fvjax.load("tiny")) == "logits"
    model = Model.from_function(ends_in_channels, {}, image_size=(4, 4))
    assert readout(model) == "head"
    assert Logit(index=3).resolve(Setup(model, "body", (4, 4))).direction.layer == "head"


def test_a_network_without_a_readout_is_refused() -> None:
    model = Model.from_function(ends_in_an_image, {}, image_size=(4, 4))
    with pytest.raises(ValueError, match="the network has no readout"):
        Logit(index=0).resolve(Setup(model, "body", (4, 4)))
