"""Statistics in one file, to be carried to where the reference images are not."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from fvjax.data.arrays import read_arrays
from fvjax.data.image_sets import Batch
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import Arrays, ReferenceStatistics, fingerprint
from sweeps.storage.atomic import atomic_write

SUFFIX = ".npz"
_ABOUT = "about"  # the array that holds the rest, as JSON


@dataclass(frozen=True)
class Collected:
    """Stands for reference images of which only the statistics in a file are known."""

    source: str
    image_size: tuple[int, int]
    count: int
    identity: str
    attributes: dict[str, tuple[str, ...]] = field(hash=False, compare=False)
    layers: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many images were seen."""
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        """UserError: the images are not here."""
        self._absent()

    def image(self, number: int) -> NoReturn:
        """UserError: the images are not here."""
        self._absent()

    @cached_property
    def labels(self) -> NoReturn:
        """UserError: the images are not here."""
        self._absent()

    def _absent(self) -> NoReturn:
        raise ValueError(
            f"{self.source} holds statistics of {', '.join(self.layers)} and no images: for "
            "anything else give reference_images=FOLDER"
        )


def write_collected(reference: ReferenceStatistics, layers: Sequence[str], path: Path) -> None:
    """Write the statistics of layers, with what network and images they are of."""
    images = reference.images
    about = {
        "fingerprint": reference.fingerprint,
        "identity": images.identity,
        "image_size": list(images.image_size),
        "count": len(images),
        "attributes": {attribute: list(names) for attribute, names in images.attributes.items()},
        "layers": list(layers),
    }
    arrays: Arrays = {_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for layer in layers:
        found = reference.statistics(layer).arrays()
        arrays |= {f"{layer}/{name}": array for name, array in found.items()}
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_collected(model: Model, path: str, size: tuple[int, int]) -> ReferenceStatistics:
    """What a model does on images, from a file that `write_collected` wrote.

    Raises:
        ValueError: no such file, or of another kind; statistics of other weights or another size.
    """
    arrays = read_arrays(path)
    try:
        about: dict[str, Any] = json.loads(bytes(arrays.pop(_ABOUT)))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} holds no statistics of sweeps.statistics") from error
    if about["fingerprint"] != fingerprint(model):
        raise ValueError(f"{path} holds statistics of other weights, or of another precision")
    if tuple(about["image_size"]) != size:
        raise ValueError(
            f"{path} holds statistics of {' x '.join(map(str, about['image_size']))} pixels, "
            f"not of {size[0]} x {size[1]}"
        )
    attributes = {attribute: tuple(names) for attribute, names in about["attributes"].items()}
    images = Collected(
        path, size, about["count"], about["identity"], attributes, tuple(about["layers"])
    )
    reference = ReferenceStatistics(model, images)
    for layer in about["layers"]:
        mine = {k.removeprefix(f"{layer}/"): x for k, x in arrays.items() if _of(k, layer)}
        reference.store_layer(layer, mine)
    return reference


def _of(name: str, layer: str) -> bool:
    return name.rpartition("/")[0] == layer
