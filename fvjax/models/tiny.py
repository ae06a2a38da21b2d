"""Three small random layers, for tests and for a first look."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fvjax.models import layers
from fvjax.models.conv import Conv
from fvjax.models.model import Linen, Model, Record
from fvjax.types import Image


class Tiny(nn.Module):
    """Two convolutions and a linear readout of their mean."""

    @nn.compact
    def __call__(self, image: Image, record: Record) -> None:
        """Record `conv1` (8 channels), `conv2` (16) and `logits` (10)."""
        x = Conv(8, kernel=3, stride=2, pad=1, name="conv1")(image - 0.5)
        x = record("conv1", layers.relu(x, record.redirect))
        x = Conv(16, kernel=3, pad=1, name="conv2")(x)
        x = record("conv2_pre_relu", x, main=False)
        x = record("conv2", layers.relu(x, record.redirect))
        record("logits", nn.Dense(10, name="logits")(x.mean((-3, -2))))


def tiny(seed: int = 0) -> Model:
    """The network with random weights from `seed`; 32 x 32 pixels, default layer `conv2`."""
    record = Record({}, False)
    weights = Tiny().init(jax.random.key(seed), jnp.zeros((32, 32, 3)), record)["params"]
    return Model(weights=weights, network=Linen(Tiny()), size=(32, 32), default_layer="conv2")
