"""Visualize a channel of your own flax nnx network: `python examples/your_nnx_network.py`."""

import jax
from flax import nnx

import fvjax


class Network(nnx.Module):
    """Yours. It takes `record` and passes every layer through it, by name."""

    def __init__(self, rngs):
        self.first = nnx.Conv(3, 16, (5, 5), strides=2, rngs=rngs)
        self.second = nnx.Conv(16, 32, (3, 3), rngs=rngs)

    def __call__(self, image, record):
        """One image (height, width, 3) in [0, 1]; batch axes are vmap's business."""
        x = record("first", nnx.relu(self.first(image - 0.5)))
        record("second", nnx.relu(self.second(x)))


graph, weights = nnx.split(Network(nnx.Rngs(0)))  # structure, and the pytree of arrays


def apply(weights, image, record):
    """What `from_function` wants."""
    nnx.merge(graph, weights)(image, record)


model = fvjax.Model.from_function(apply, weights, image_size=(32, 32))
recipe = fvjax.Recipe(
    objective=fvjax.DotCosine(exponent=1.0, floor=0.1),
    parameterization=fvjax.Fourier(image_size=32, stddev=0.01, decay_power=1.0, decorrelate=True),
    transform=fvjax.Jitter(pixels=2),
    learning_rate=0.05, steps=32, optimizer="adam",
)  # fmt: skip
channel = fvjax.Direction(vector=jax.nn.one_hot(7, 32), layer="second")
job = fvjax.Job(recipe=recipe, direction=channel, key=jax.random.key(0))
result = jax.jit(fvjax.visualize)(model, job)
print(f"{model.layers} score {result.initial_score:.3f} -> {result.final_score:.3f}")
