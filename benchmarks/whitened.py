"""How white are whitened activations? Without shrinkage, in the float32 arithmetic of a sweep.

Whitens every main layer that can be whitened by the statistics of the reference images, streams the
same images through the whitened model, and prints for each layer the largest deviation of the
covariance from the identity and of the mean from 0.
"""

import argparse
import os
from pathlib import Path

import numpy as np

import fvjax
from fvjax.covariance import refuse_singular
from fvjax.data.reference import Reference
from fvjax.natural import Natural
from fvjax.statistics import collect
from sweeps.store import Store, cache


def main() -> None:
    """Print a line for each layer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("FVJAX_WEIGHTS", "../shared/weights")
    parser.add_argument("--model", default="googlenet", choices=["googlenet", "texturenet"])
    parser.add_argument("--weights", default=f"{folder}/bvlc_googlenet.safetensors")
    parser.add_argument("--images", default="../shared/photos")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--count", type=int, default=512, help="reference images at most")
    arguments = parser.parse_args()
    own = arguments.model == "texturenet"
    model = fvjax.load(arguments.model, weights=None if own else Path(arguments.weights))
    source, size = ("generated", 64) if own else (arguments.images, arguments.size)
    reference = Reference(source, size, arguments.count)
    natural = Natural(model, reference, Store(cache() / "natural"))
    layers = [name for name in model.main_layers if name != "image"]
    natural.collect(layers)
    white = []
    for layer in layers:
        statistics = natural.statistics(layer)
        try:
            refuse_singular(statistics, layer)
        except ValueError as error:
            print(error)
            continue
        model = fvjax.Whitened(model, statistics=statistics, layer=layer, shrinkage=0.0)
        white.append(f"{layer}/whitened")
    print("layer             covariance off the identity  mean off 0")
    for name, found in collect(model, reference, white).items():
        off = np.abs(found.covariance - np.eye(found.channels)).max()
        print(f"{name:18}  {off:25.1e}  {np.abs(found.mean).max():10.1e}")


if __name__ == "__main__":
    main()
