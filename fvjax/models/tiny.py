"""A small random network, for tests and first trials."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from fvjax.models.conv import Conv
from fvjax.models.flax_modules import Linen
from fvjax.models.model import Model, Record
from fvjax.ops import layers
from fvjax.types import Image


class Tiny(nn.Module):
    """Two convolutions and a linear readout of their mean."""

    @nn.compact
    def __call__(self, image: Image, record: Record) -> None:
        """Record `conv1` (8 channels), `conv2` (16) and `logits` (10)."""
        x = Conv(8, kernel=3, stride=2, pad=1, name="conv1")(image - 0.5)
        x = record("conv1_pre_relu", x, main=False)
        x = record("conv1", layers.relu(x, record.redirect))
        x = Conv(16, kernel=3, pad=1, name="conv2")(x)
        x = record("conv2_pre_relu", x, main=False)
        x = record("conv2", layers.relu(x, record.redirect))
        record("logits", nn.Dense(10, name="logits")(x.mean((-3, -2))))


def tiny(seed: int = 0) -> Model:
    """Return the network with random weights from `seed`; 32 x 32 pixels, default layer `conv2`."""
    module, draws = Tiny(), np.random.default_rng(seed)  # jax would compile for seconds to draw

    def initialise(key: Array, image: Image) -> Any:
        return module.init(key, image, Record({}, False))["params"]

    def draw(leaf: jax.ShapeDtypeStruct) -> Array:
        if len(leaf.shape) == 1:  # a bias
            return jnp.zeros(leaf.shape)
        stddev = math.sqrt(2 / math.prod(leaf.shape[:-1]))
        return jnp.asarray(stddev * draws.standard_normal(leaf.shape), jnp.float32)

    shapes = jax.eval_shape(initialise, jax.random.key(0), jnp.zeros((32, 32, 3)))
    weights = jax.tree.map(draw, shapes)
    return Model(weights=weights, network=Linen(module), image_size=(32, 32), default_layer="conv2")
