"""Probability of the visualized class by GoogLeNet and by SqueezeNet, for a sweep over logits."""

import argparse
import io
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

import fvjax
import sweeps

FILES = {
    "googlenet": "bvlc_googlenet.safetensors",
    "squeezenet": "squeezenet_v1.1.safetensors",
}


def main() -> None:
    """Print one line per picture and network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", help="of a sweep with direction=logit")
    folder = os.environ.get("FVJAX_WEIGHTS", "../shared/weights")
    parser.add_argument("--weights", default=folder, help="folder of both networks' weights")
    arguments = parser.parse_args()
    results = sweeps.load(arguments.directory)
    for name, file in FILES.items():
        model = fvjax.load(name, weights=f"{arguments.weights}/{file}")
        read = jax.jit(lambda model, image: jax.nn.softmax(model(image)["logits"]))
        rows: Any = results.itertuples()
        for row in rows:
            with Image.open(io.BytesIO(row.image["bytes"])) as picture:
                image = jnp.asarray(np.asarray(picture, np.float32) / 255)
            probabilities = np.asarray(read(model, image))
            shown = probabilities[row.direction_index]
            rank = 1 + int(np.sum(probabilities > shown))
            print(f"{name} {row.label} {row.transform}: probability {shown:.4f}, rank {rank}")


if __name__ == "__main__":
    main()
