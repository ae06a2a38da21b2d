"""A cache of arrays in files: the user's cache folder, and the files of this package."""

import hashlib
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fvjax.data.arrays import read_arrays
from fvjax.models.texturenet import SHIPPED
from sweeps.storage.atomic import atomic_write
from sweeps.storage.cache_folder import evict, mark_used, warn_once

MAX_BYTES = 2**32  # of all files in a folder; the statistics of GoogLeNet's main layers have 0.1 GB
Arrays = dict[str, np.ndarray]


def digest(*parts: Any) -> str:
    """Return a short hash of Python values."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


class ArrayCache(MutableMapping[str, Arrays]):
    """A mapping whose values are .npz files in a folder, with a read-only folder as fallback.

    A file that cannot be read counts as absent. Arrays that cannot be written, and all arrays if
    there is no folder, are held in memory. Beyond `max_bytes` the least recently used files are
    deleted.
    """

    def __init__(
        self,
        folder: Path | None,
        shipped: Path = SHIPPED / "statistics",
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Use two folders; the first is created when an array is stored."""
        self.folder, self.shipped, self.max_bytes = folder, shipped, max_bytes
        self._in_memory: dict[str, Arrays] = {}

    def __getitem__(self, key: str) -> Arrays:
        """Return the arrays of a key, or raise KeyError."""
        if key in self._in_memory:
            return self._in_memory[key]
        with suppress(ValueError):  # absent, or no arrays
            if self.folder is not None:
                path = self.folder / f"{key}.npz"
                arrays = read_arrays(path)
                mark_used(path)
                return arrays
        try:
            return read_arrays(self.shipped / f"{key}.npz")
        except ValueError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, arrays: Arrays) -> None:
        """Write the arrays atomically."""
        if self.folder is None:
            self._in_memory[key] = arrays
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.folder / f"{key}.npz") as partial, partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
            evict(self.folder, "*.npz", self.max_bytes)
        except OSError as error:
            warn_once(f"cannot write into the cache {self.folder}: {error.strerror or error}")
            self._in_memory[key] = arrays

    def __delitem__(self, key: str) -> None:
        """Delete the arrays of a key."""
        held = self._in_memory.pop(key, None)
        path = None if self.folder is None else self.folder / f"{key}.npz"
        if held is None and (path is None or not path.exists()):
            raise KeyError(key)
        if path is not None:
            path.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys that are not only in the fallback."""
        stored = () if self.folder is None else self.folder.glob("*.npz")
        return iter(sorted({*self._in_memory, *(path.stem for path in stored)}))

    def __len__(self) -> int:
        """Return the number of keys that are not only in the fallback."""
        return sum(1 for _ in self)
