"""Reference images, in batches: generated ones with labels, or a folder of photographs."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from fvjax import checks
from fvjax.data.photos import SUFFIXES, read_photo
from fvjax.data.picture_folder import class_names, find_pictures, notes
from fvjax.data.textures import (
    ATTRIBUTES,
    SIZE,
    UNSEEN_ATTRIBUTES,
    VERSION,
    Sample,
    sample,
    sample_unseen,
)
from fvjax.image_size import height_width
from fvjax.types import Key

GENERATED, UNSEEN = "generated", "unseen"
_BATCH = 32
_READING = 2  # version of `read_photo`: another one reads other pixels from the same files
_FIRST = 1_000_000  # key of the first generated image: no training run draws from it


@dataclass(frozen=True)
class Batch:
    """A batch of reference images with their numbers and labels."""

    images: Float[np.ndarray, "images height width 3"]
    numbers: Int[np.ndarray, "images"]
    labels: Int[np.ndarray, "images attributes"]


@runtime_checkable
class ImageSet(Protocol):
    """A fixed set of images, numbered."""

    @property
    def source(self) -> str:
        """The source of the images: a name or a folder."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""

    @property
    def identity(self) -> str:
        """A text that identifies the images, with a hash of a folder's files."""

    @property
    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Attributes and the names of their labels; empty if the images have no labels."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield the images in batches."""

    def image(self, number: int) -> Float[np.ndarray, "height width 3"]:
        """Return one image by its number."""

    def labels(self, attribute: str) -> Int[np.ndarray, "images"]:
        """Return all images' labels of an attribute, in the order of the images' numbers."""


@dataclass(frozen=True)
class ReferenceImages:
    """Images to compare with: `generated`, or the photographs of a folder.

    If a folder has one subfolder for each class, its photographs have the attribute `class`.

    Args:
        source: "generated"; "unseen", with textures outside the networks' training data; or a path.
        image_size: height and width of the images in pixels.
        count: number of generated images; largest number of photographs, in the order of names.
        first: number of the first image.
        every: distance between consecutive images' numbers: 2 takes each second image.
    """

    source: str
    image_size: tuple[int, int]
    count: int
    first: int = 0
    every: int = 1
    attributes: dict[str, tuple[str, ...]] = field(init=False, hash=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse wrong counts, and a folder without photographs."""
        object.__setattr__(self, "image_size", height_width(self.image_size))
        checks.path("reference_images", self.source)
        checks.count("reference_count", self.count)
        checks.count("first", self.first, least=0)
        checks.count("every", self.every)
        drawn = _DRAWN.get(self.source)
        names = () if drawn else class_names(self.paths, Path(self.source))
        attributes = dict(drawn[1]) if drawn else {"class": names} if names else {}
        object.__setattr__(self, "attributes", attributes)

    @cached_property
    def paths(self) -> list[Path]:
        """The photographs' paths, sorted by name."""
        if self.source in _DRAWN:
            return []
        pictures, _ = self._found
        checks.index("first", self.first, len(pictures))
        return pictures[self.first :: self.every][: self.count]

    @cached_property
    def _found(self) -> tuple[list[Path], list[Path]]:
        """All pictures of the folder, and what is ignored in it."""
        folder = Path(self.source)
        if not folder.is_dir():
            raise ValueError(
                f"reference_images must be {GENERATED} or a folder; there is no folder {folder}"
            )
        pictures, ignored = find_pictures(folder)
        if not pictures:
            raise ValueError(f"folder {folder} holds no pictures ({' '.join(sorted(SUFFIXES))})")
        return pictures, ignored

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what lies in a folder and is not used: other files, and classes."""
        if self.source in _DRAWN:
            return ()
        pictures, ignored = self._found
        return notes(Path(self.source), pictures, self.paths, ignored)

    def __len__(self) -> int:
        """Return the number of images."""
        return self.count if self.source in _DRAWN else len(self.paths)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches of at most 32 images.

        Raises:
            ValueError: a file that is not an image; the message names the file.
        """
        for first in range(0, len(self), _BATCH):
            numbers = np.arange(first, min(first + _BATCH, len(self)))
            yield self._batch(numbers)

    def image(self, number: int) -> Float[np.ndarray, "height width 3"]:
        """Return one image by its number."""
        image: np.ndarray = self._batch(np.array([number])).images[0]
        return image

    def _batch(self, numbers: np.ndarray) -> Batch:
        return self._generated(numbers) if self.source in _DRAWN else self._read(numbers)

    def _generated(self, numbers: np.ndarray) -> Batch:
        seeds = jnp.asarray(_FIRST + self.first + self.every * numbers)
        drawn = _draw(seeds, _DRAWN[self.source][0])
        images = drawn.image
        if self.image_size != (SIZE, SIZE):
            images = jax.image.resize(images, (len(numbers), *self.image_size, 3), "linear")
        labels = np.stack([np.asarray(getattr(drawn, attribute)) for attribute in ATTRIBUTES], -1)
        return Batch(np.asarray(images), numbers, labels)

    def _read(self, numbers: np.ndarray) -> Batch:
        paths = [self.paths[number] for number in numbers]
        images = np.stack([read_photo(path, self.image_size) for path in paths])
        names = self.attributes.get("class", ())
        labels = np.array([[names.index(path.parent.name)] for path in paths] if names else [])
        return Batch(images, numbers, labels.reshape(len(paths), -1).astype(int))

    @property
    def _size(self) -> int | tuple[int, int]:
        """The image size; one number for squares, as in the shipped statistics' identities."""
        height, width = self.image_size
        return height if height == width else (height, width)

    def labels(self, attribute: str) -> Int[np.ndarray, "images"]:
        """Return all images' labels of an attribute, in the order of the images' numbers."""
        return self._labels[:, list(self.attributes).index(attribute)]

    @cached_property
    def _labels(self) -> Int[np.ndarray, "images attributes"]:
        return np.concatenate([batch.labels for batch in self])

    @cached_property
    def identity(self) -> str:
        """A text that identifies the images, with a hash of a folder's files."""
        if self.source in _DRAWN:
            others = f" {self.first} {self.every}" if (self.first, self.every) != (0, 1) else ""
            return f"{self.source} {VERSION} {self.count} {self._size}{others}"
        digest = hashlib.sha256(f"{_READING} {self._size}".encode())
        for path in self.paths:
            digest.update(str(path.relative_to(self.source)).encode() + path.read_bytes())
        return digest.hexdigest()


@partial(jax.jit, static_argnums=1)
def _draw(seeds: Any, draw: Callable[[Key], Sample]) -> Any:
    return jax.vmap(lambda seed: draw(jax.random.key(seed)))(seeds)


_DRAWN = {GENERATED: (sample, ATTRIBUTES), UNSEEN: (sample_unseen, UNSEEN_ATTRIBUTES)}
