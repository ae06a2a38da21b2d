"""A file of statistics, for machines that do not have the reference images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fvjax import checks
from fvjax.data.arrays import read_arrays
from fvjax.image_size import height_width
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import (
    ImageSetDescription,
    ReferenceStatistics,
    fingerprint,
)
from fvjax.reference.moments import Statistics
from fvjax.reference.stored_arrays import Arrays
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
            weights or another precision; the file's images have another size; a layer's arrays
            have other shapes than the network's layer.
    """
    arrays = read_arrays(path)
    try:
        about = _Description(**json.loads(bytes(arrays.pop(_ABOUT))))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no statistics of sweeps.statistics") from error
    if about.fingerprint != fingerprint(model):
        raise ValueError(f"{path} holds statistics of other weights, or of another precision")
    if about.image_size != size:
        stored, wanted = (" x ".join(map(str, pair)) for pair in (about.image_size, size))
        raise ValueError(f"{path} holds statistics of {stored} pixels, not of {wanted}")
    images = ImageSetDescription(path, size, about.count, about.identity, about.attributes)
    reference = ReferenceStatistics(model, images)
    for layer in about.layers:
        if layer not in tuple(model.layers):
            raise ValueError(f"{path} holds the layer {str(layer)[:60]!r}, which the network lacks")
        own = {k.removeprefix(f"{layer}/"): k for k in arrays if k.rpartition("/")[0] == layer}
        statistics = {name: arrays[key] for name, key in own.items()}
        Statistics.from_arrays(f"{path}, layer {layer!r}", statistics, reference.shapes(layer))
        reference.store_layer(layer, statistics)
    return reference


@dataclass
class _Description:
    """What a file says of its network and images."""

    source: str
    image_size: tuple[int, int]
    count: int
    identity: str
    attributes: Mapping[str, tuple[str, ...]]
    fingerprint: str
    layers: Sequence[str]

    def __post_init__(self) -> None:
        """Refuse values of other types."""
        if not isinstance(self.identity, str) or not isinstance(self.layers, list):
            raise TypeError
        self.image_size = height_width(self.image_size)
        checks.count("count", self.count)
        named = dict(self.attributes).items()
        self.attributes = {kind: tuple(map(str, names)) for kind, names in named}
