"""Reading one array from a .npy, .npz or .safetensors file; nothing is ever unpickled."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fvjax import checks


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
        return {"": loaded} if isinstance(loaded, np.ndarray) else {k: loaded[k] for k in loaded}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def read_array(path: str | Path, name: str | None = None) -> Any:
    """One array of a file: the one called `name`, or the only one."""
    arrays = read_arrays(path)
    if name is None:
        if len(arrays) != 1:
            raise ValueError(f"{path} holds {len(arrays)} arrays ({', '.join(arrays)}): name one")
        return next(iter(arrays.values()))
    checks.choice(f"array in {path}", name, arrays)
    return arrays[name]
