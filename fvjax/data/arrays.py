"""Reading arrays from a .npy, .npz or .safetensors file; nothing is ever unpickled."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fvjax import checks

_BROKEN = (zipfile.BadZipFile, zlib.error, SafetensorError)


def read_arrays(path: str | Path) -> dict[str, Any]:
    """All arrays of a file by name; a .npy file's has the name "".

    Raises:
        ValueError: one sentence for a missing, truncated or pickled file or an unknown suffix.
    """
    path = Path(path)
    checks.choice("file type", path.suffix, (".npy", ".npz", ".safetensors"))
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded}
    except (OSError, EOFError, ValueError, *_BROKEN) as error:
        reason = str(error).split(". ")[0].split("\n")[0]  # numpy's next one advises to unpickle
        raise ValueError(f"{path} cannot be read: {reason}") from error


def read_array(path: str | Path, name: str | None = None) -> Any:
    """One array of a file: the one called `name`, or the only one."""
    arrays = read_arrays(path)
    if name is None:
        if len(arrays) != 1:
            raise ValueError(f"{path} holds {len(arrays)} arrays ({', '.join(arrays)}): name one")
        return next(iter(arrays.values()))
    checks.choice(f"array in {path}", name, arrays)
    return arrays[name]
