"""Visualize a channel of your own flax.linen network: `python examples/your_linen_network.py`."""

import flax.linen as nn
import jax
import jax.numpy as jnp

import fvjax
from fvjax.models import Record


class Network(nn.Module):
    """Yours. It takes `record` and passes every layer through it, by name."""

    @nn.compact
    def __call__(self, image, record):
        """Run forward on one image (height, width, 3) in [0, 1]; `jax.vmap` adds batch axes."""
        x = record("first", nn.relu(nn.Conv(16, (5, 5), strides=2)(image - 0.5)))
        x = record("second", nn.relu(nn.Conv(32, (3, 3))(x)))
        record("classes", nn.Dense(10)(x.mean((0, 1))))


variables = Network().init(jax.random.key(0), jnp.zeros((32, 32, 3)), Record({}, False))
model = fvjax.from_linen(Network(), variables, image_size=32, default_layer="second")
job = fvjax.job(model, channel=7, steps=32)
result = fvjax.visualize(model, job)
print(f"{model.layers} score {result.initial_score:.3f} -> {result.final_score:.3f}")
