"""Reading arrays from a .npy, .npz or .safetensors file; nothing is ever unpickled."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fvjax import checks

_REAL = "fiuV"  # numpy's kinds of real numbers; V is bfloat16's
_BROKEN = (zipfile.BadZipFile, zlib.error, SafetensorError)


def read_arrays(path: str | Path) -> dict[str, Any]:
    """Return all arrays of a file by name; the array of a .npy file has the name "".

    Raises:
        ValueError: a missing, truncated or pickled file, an unknown suffix, or an array without
            real numbers.
    """
    checks.path("the path of a file", path)
    path = Path(path)
    arrays = _read(path)
    for name, array in arrays.items():
        if array.dtype.kind not in _REAL:
            raise ValueError(f"array {name!r} in {path} holds {array.dtype}, not real numbers")
    return arrays


def _read(path: Path) -> dict[str, Any]:
    checks.choice(f"file type of {path}:", path.suffix, (".npy", ".npz", ".safetensors"))
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            single = isinstance(loaded, np.ndarray)
            return {"": loaded} if single else {name: loaded[name] for name in loaded}
    except (OSError, EOFError, ValueError, *_BROKEN) as error:
        reason = (
            str(error).split(". ")[0].split("\n")[0]
        )  # numpy's next sentence advises to unpickle
        raise ValueError(f"{path} cannot be read: {reason}") from error


def read_array(path: str | Path, name: str | None = None) -> Any:
    """Return the array `name` of a file, or the only array if `name` is None."""
    arrays = read_arrays(path)
    if name is None:
        if len(arrays) != 1:
            raise ValueError(f"{path} holds {len(arrays)} arrays ({', '.join(arrays)}): name one")
        return next(iter(arrays.values()))
    checks.choice(f"array in {path}", name, arrays)
    return arrays[name]
