"""Arrays that are computed on first use and stored under a hash of what they depend on."""

import hashlib
import re
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fvjax.models.weights import check_finite, check_names_and_shapes

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class StoredArrays:
    """Named arrays that belong to one network, one set of images and one image size.

    Args:
        store: mapping from keys to arrays, in memory or in files.
        parts: what all arrays depend on; it is hashed into each key.
        announce: called with the name of a quantity before the quantity is computed.
    """

    store: MutableMapping[str, Arrays]
    parts: tuple[object, ...]
    announce: Callable[[str], None]

    def __contains__(self, name: str) -> bool:
        """Return whether arrays are stored under a name."""
        return self._key(name) in self.store

    def __getitem__(self, name: str) -> Arrays:
        """Return stored arrays; a name that is absent is a KeyError."""
        return self.store[self._key(name)]

    def __setitem__(self, name: str, arrays: Arrays) -> None:
        """Store arrays under a name."""
        self.store[self._key(name)] = arrays

    def get_or_compute(
        self, name: str, compute: Callable[[], Arrays], shapes: Mapping[str, tuple[int, ...]]
    ) -> Arrays:
        """Return stored arrays; compute and store them on first use.

        Stored arrays of other names or shapes, or that are not finite, count as absent.
        """
        with suppress(KeyError, ValueError):
            stored = self[name]
            check_names_and_shapes(name, stored, shapes)
            check_finite(name, stored)
            return stored
        return self.compute(name, compute)

    def compute(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Compute arrays, and store them."""
        self.announce(name)
        self[name] = arrays = compute()
        return arrays

    def _key(self, name: str) -> str:
        digest = hashlib.sha256(repr((*self.parts, name)).encode()).hexdigest()[:20]
        return f"{re.sub('[^a-z0-9]+', '_', name.lower())}-{digest}"
