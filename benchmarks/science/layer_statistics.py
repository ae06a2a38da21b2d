"""What the scripts on spaces begin with: a model's main layers, measured on reference images."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.reference.covariance import refuse_singular
from fvjax.reference.moments import Statistics
from sweeps.storage.array_cache import ArrayCache
from sweeps.storage.cache_folder import cache_folder


def measured(description: str) -> ReferenceStatistics:
    """Of the model and images that the command line asks for."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
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
    return ReferenceStatistics(
        model,
        ReferenceImages(source, (size, size), arguments.count),
        ArrayCache(cache_folder("reference")),
    )


def invertible(reference: ReferenceStatistics) -> Iterator[tuple[str, Statistics]]:
    """Return the main layers whose covariance has an inverse; print why the others have none."""
    layers = [name for name in reference.model.main_layers if name != "image"]
    reference.collect(layers)
    for layer in layers:
        statistics = reference.statistics(layer)
        try:
            refuse_singular(statistics, layer)
        except ValueError as error:
            print(error)
            continue
        yield layer, statistics
