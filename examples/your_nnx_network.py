"""Visualize a channel of your own flax.nnx network: `python examples/your_nnx_network.py`."""

from flax import nnx

import fvjax


class Network(nnx.Module):
    """Yours. It takes `record` and passes every layer through it, by name."""

    def __init__(self, rngs):
        self.first = nnx.Conv(3, 16, (5, 5), strides=2, rngs=rngs)
        self.second = nnx.Conv(16, 32, (3, 3), rngs=rngs)

    def __call__(self, image, record):
        """Run forward on one image (height, width, 3) in [0, 1]; `jax.vmap` adds batch axes."""
        x = record("first", nnx.relu(self.first(image - 0.5)))
        record("second", nnx.relu(self.second(x)))


model = fvjax.from_nnx(Network(nnx.Rngs(0)), image_size=32, default_layer="second")
job = fvjax.job(model, channel=7, steps=32)
result = fvjax.visualize(model, job)
print(f"{model.layers} score {result.initial_score:.3f} -> {result.final_score:.3f}")
