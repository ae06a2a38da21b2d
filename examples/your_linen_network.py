"""Visualize a channel of your own flax.linen network: `python examples/your_linen_network.py`."""

import flax.linen as nn
import jax
import jax.numpy as jnp

import fvjax
from fvjax.models import Linen, Record


class Network(nn.Module):
    """Yours. It takes `record` and passes every layer through it, by name."""

    @nn.compact
    def __call__(self, image, record):
        """One image (height, width, 3) in [0, 1]; batch axes are vmap's business."""
        x = record("first", nn.relu(nn.Conv(16, (5, 5), strides=2)(image - 0.5)))
        x = record("second", nn.relu(nn.Conv(32, (3, 3))(x)))
        record("classes", nn.Dense(10)(x.mean((0, 1))))


weights = Network().init(jax.random.key(0), jnp.zeros((32, 32, 3)), Record({}, False))["params"]
model = fvjax.Model.from_function(
    Linen(Network()), weights, image_size=(32, 32), default_layer="second"
)

recipe = fvjax.Recipe(
    objective=fvjax.DotCosine(exponent=1.0, floor=0.1),
    parameterization=fvjax.Fourier(image_size=32, stddev=0.01, decay_power=1.0, decorrelate=True),
    transform=fvjax.Jitter(pixels=2),
    learning_rate=0.05,
    steps=32,
    optimizer="adam",
)
channel = fvjax.Direction(vector=jax.nn.one_hot(7, 32), layer="second")
job = fvjax.Job(recipe=recipe, direction=channel, key=jax.random.key(0))
result = jax.jit(fvjax.visualize)(model, job)
print(f"{model.layers} score {result.initial_score:.3f} -> {result.final_score:.3f}")
