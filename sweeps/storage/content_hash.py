"""Hashes of content: of the files and folders that a config names, and of arrays."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fvjax.data.picture_folder import walk

Stamp = tuple[tuple[str, int, int], ...]


def stamp(path: str | Path) -> Stamp:
    """Return path, time and size of a file, or of each file in a folder, to detect changes.

    Links are followed, each folder once.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(Path(parent, name) for parent, _, names in walk(path) for name in names)
    stats = [(str(file), file.stat()) for file in files if file.is_file()]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def content(path: str | Path) -> str | list[list[str]] | None:
    """Return a file's hash, or name and hash of each file in a folder; None for other paths."""
    path = Path(path)
    if path.is_file():
        return _digest(*stamp(path)[0])
    if path.is_dir():
        return [[str(Path(file[0]).relative_to(path)), _digest(*file)] for file in stamp(path)]
    return None


@cache
def _digest(path: str, modified: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_arrays(tree: Any) -> str:
    """Return 16 hexadecimal digits that identify a pytree of arrays by names, types and values.

    Equal numbers have equal hashes, whatever file they came from. A network's code has no part in
    it. Random keys count by their numbers.
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.ascontiguousarray(jax.random.key_data(leaf) if is_key else leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]
