"""Networks of keras.applications against Keras: every layer and the image's gradient. A table.

Weights are random, in float64, as in zoo.py: python benchmarks/science/zoo_keras.py [NAME ...]
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import argparse
import time
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from relative_error import relative_error

import fvjax

NETWORKS = ("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "MobileNetV2", "ResNet50", "Xception")
SIZE, MEAN, STD = 96, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(name: str) -> Any:
    """Return a network with statistics, biases and scales that are not the identity."""
    made = getattr(keras.applications, name)(weights=None, input_shape=(SIZE, SIZE, 3))
    random = np.random.default_rng(0)
    for weight in made.weights:
        if weight.path.rsplit("/", 1)[-1] in ("gamma", "beta", "moving_mean", "bias"):
            weight.assign(weight + random.normal(0, 0.05, weight.shape))
    return made


def compare(made: Any) -> dict[str, Any]:
    """Return errors of layers and of the image's gradient, relative to the largest value."""
    started = time.perf_counter()
    model = fvjax.from_keras(made, SIZE, mean=MEAN, std=STD)
    seconds = time.perf_counter() - started
    image = jnp.asarray(np.random.default_rng(1).random((SIZE, SIZE, 3)))
    outputs = {layer.name: layer.output for layer in made.layers if layer.name in model.layers}
    every = keras.Model(made.input, outputs)
    *_, last = outputs
    seed = np.random.default_rng(2).standard_normal(model.layers[last])

    def theirs(image: Any) -> Any:
        with jax.numpy_rank_promotion("allow"):
            found = every(((image - jnp.array(MEAN)) / jnp.array(STD))[None])
        return (found[last][0] * seed).sum(), {name: value[0] for name, value in found.items()}

    def ours(image: Any) -> Any:
        found = model(image)
        return (found[last] * seed).sum(), {name: found[name] for name in outputs}

    (gradient, found), (expected_gradient, expected) = (
        jax.jit(jax.grad(score, has_aux=True))(image) for score in (ours, theirs)
    )
    errors = jax.tree.map(relative_error, found, expected)
    return {
        "layers": f"{len(model.layers)} ({len(model.main_layers)})",
        "worst": max(errors.values()),
        "gradient": relative_error(gradient, expected_gradient),
        "seconds": seconds,
    }


def main() -> None:
    """Print a line of the table for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NETWORKS)
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    print("| network | layers (main path) | worst layer | gradient | import s |")
    print("|---|---|---|---|---|")
    for name in parser.parse_args().names:
        row = compare(network(name))
        errors = f"{row['worst']:.0e} | {row['gradient']:.0e}"
        print(f"| keras {name} | {row['layers']} | {errors} | {row['seconds']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
