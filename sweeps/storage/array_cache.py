"""A cache of arrays in files: the user's cache folder, and the files of this package."""

import hashlib
import os
import zipfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from fvjax.models.texturenet import SHIPPED
from sweeps.storage.atomic import atomic_write

Arrays = dict[str, np.ndarray]


def cache_folder() -> Path:
    """Return the user's cache folder of this project."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fvjax"


def digest(*parts: Any) -> str:
    """Return a short hash of Python values."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


class ArrayCache(MutableMapping[str, Arrays]):
    """A mapping whose values are .npz files in a folder, with a read-only folder as fallback.

    A file that cannot be read counts as absent.
    """

    def __init__(self, folder: Path, shipped: Path = SHIPPED / "statistics") -> None:
        """Use two folders; the first is created when an array is stored."""
        self.folder, self.shipped = folder, shipped

    def __getitem__(self, key: str) -> Arrays:
        """Return the arrays of a key, or raise KeyError."""
        for folder in (self.folder, self.shipped):
            path = folder / f"{key}.npz"
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    return dict(arrays)
            except (OSError, ValueError, EOFError, zipfile.BadZipFile):
                continue
        raise KeyError(key)

    def __setitem__(self, key: str, arrays: Arrays) -> None:
        """Write the arrays atomically."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / f"{key}.npz") as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def __delitem__(self, key: str) -> None:
        """Delete the file of a key."""
        try:
            (self.folder / f"{key}.npz").unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys of the user's folder."""
        return (path.stem for path in sorted(self.folder.glob("*.npz")))

    def __len__(self) -> int:
        """Return the number of keys in the user's folder."""
        return sum(1 for _ in self)
