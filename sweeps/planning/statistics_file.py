"""A file of statistics, for machines that do not have the reference images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fvjax.data.arrays import read_arrays
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import (
    Arrays,
    ImageSetDescription,
    ReferenceStatistics,
    fingerprint,
)
from sweeps.storage.atomic import atomic_write

_ABOUT = "about"  # the array that holds the description of network and images, as JSON


def save_statistics(reference: ReferenceStatistics, layers: Sequence[str], path: Path) -> None:
    """Write the statistics of layers, with a description of their network and images.

    Args:
        reference: the statistics; layers that are missing are computed.
        layers: names of the layers.
        path: the .npz file.
    """
    images = describe_images(reference)
    about = vars(images) | {"fingerprint": reference.fingerprint, "layers": list(layers)}
    arrays: Arrays = {_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for layer in layers:
        statistics = reference.statistics(layer).arrays()
        arrays |= {f"{layer}/{name}": array for name, array in statistics.items()}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def describe_images(reference: ReferenceStatistics) -> ImageSetDescription:
    """Return the description of the reference images, whether or not the images are present."""
    images = reference.images
    if isinstance(images, ImageSetDescription):
        return images
    return ImageSetDescription(
        source=images.source,
        image_size=images.image_size,
        count=len(images),
        identity=images.identity,
        attributes=dict(images.attributes),
    )


def load_statistics(model: Model, path: str, size: tuple[int, int]) -> ReferenceStatistics:
    """Read the statistics of a model from a file that `save_statistics` wrote.

    Args:
        model: the network that the sweep uses.
        path: the .npz file.
        size: height and width of the sweep's images, in pixels.

    Raises:
        ValueError: the file is absent or is no file of statistics; the file's network has other
            weights or another precision; the file's images have another size.
    """
    arrays = read_arrays(path)
    try:
        about: dict[str, Any] = json.loads(bytes(arrays.pop(_ABOUT)))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} holds no statistics of sweeps.statistics") from error
    if about["fingerprint"] != fingerprint(model):
        raise ValueError(f"{path} holds statistics of other weights, or of another precision")
    if tuple(about["image_size"]) != size:
        stored, wanted = (" x ".join(map(str, pair)) for pair in (about["image_size"], size))
        raise ValueError(f"{path} holds statistics of {stored} pixels, not of {wanted}")
    images = ImageSetDescription(
        source=path,
        image_size=size,
        count=about["count"],
        identity=about["identity"],
        attributes={kind: tuple(names) for kind, names in about["attributes"].items()},
    )
    reference = ReferenceStatistics(model, images)
    for layer in about["layers"]:
        names = {key: key.rpartition("/") for key in arrays}
        reference.store_layer(
            layer, {name: arrays[k] for k, (owner, _, name) in names.items() if owner == layer}
        )
    return reference
