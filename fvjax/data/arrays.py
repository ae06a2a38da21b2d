"""Reading arrays from a .npy, .npz or .safetensors file; nothing is ever unpickled.

What a file declares (types, shapes, sizes) is compared with the file's length before any number is
read, so that a small file cannot fill the memory.
"""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from safetensors import safe_open

from fvjax import checks

_SUFFIXES = (".npy", ".npz", ".safetensors")
_REAL = "fiu"  # numpy's kinds of real numbers
_MOST_BYTES, _MOST_RATIO = 2**28, 100  # of a .npz file's arrays: 256 MiB, or 100 times the file
_SAFETENSORS = {f"{kind}{bits}" for kind in "FIU" for bits in (8, 16, 32, 64)} - {"F8"} | {"BF16"}
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1  # bit of a zip member's flags


def read_arrays(path: str | Path) -> dict[str, Any]:
    """Return all arrays of a file by name; the array of a .npy file has the name "".

    Raises:
        ValueError: one sentence that names a file that is absent, truncated, pickled, of another
            suffix, without arrays or longer unpacked than its length allows; or the array that
            holds no real numbers.
    """
    checks.path("the path of a file", path)
    path = Path(path)
    suffix = path.suffix.lower()
    checks.choice(f"file type of {path}:", suffix, _SUFFIXES)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        arrays: dict[str, Any] = _READERS[suffix](path)
        if not arrays:
            raise ValueError("it holds no arrays")
    except Exception as error:  # a broken file makes these libraries raise errors of any kind
        raise ValueError(f"{path} cannot be read: {checks.reason(error)}") from error
    return arrays


def read_array(path: str | Path, name: str | None = None) -> Any:
    """Return the array `name` of a file, or the only array if `name` is None."""
    arrays = read_arrays(path)
    if name is None:
        if len(arrays) != 1:
            raise ValueError(f"{path} holds {len(arrays)} arrays ({', '.join(arrays)}): name one")
        return next(iter(arrays.values()))
    checks.choice(f"array in {path}", name, arrays)
    return arrays[name]


def _read_npy(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        _check_header(file, path.stat().st_size, "it")
        file.seek(0)
        return {"": npy.read_array(file, allow_pickle=False)}


def _read_npz(path: Path) -> dict[str, Any]:
    length, arrays = path.stat().st_size, {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > max(_MOST_BYTES, _MOST_RATIO * length):
            raise ValueError(f"its {length} bytes would be {unpacked} bytes unpacked")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name == member.filename or name in arrays:
                raise ValueError(f"{member.filename!r} is no array, or is there twice")
            if member.flag_bits & _ENCRYPTED or member.compress_type not in _COMPRESSIONS:
                raise ValueError(f"array {name!r} is encrypted, or compressed in another way")
            with archive.open(member) as file:
                _check_header(file, member.file_size, f"array {name!r}")
            with archive.open(member) as file:
                arrays[name] = npy.read_array(file, allow_pickle=False)
    return arrays


def _check_header(file: Any, length: int, name: str) -> None:
    """Refuse an open .npy file whose header does not describe real numbers that fill its length."""
    version = npy.read_magic(file)
    if version not in _HEADERS:  # version 3 is for names of fields that are not Latin
        raise ValueError(f"{name} is not of version 1 or 2 of numpy's format")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.kind not in _REAL:
        hint = ", as numpy writes bfloat16" if dtype == np.dtype("V2") else ""
        raise ValueError(f"{name} holds {dtype}{hint}, not real numbers: save it as float32")
    declared, held = math.prod(shape) * dtype.itemsize, length - file.tell()
    if declared != held or min(shape, default=0) < 0:
        raise ValueError(f"{name} holds {held} bytes of numbers instead of {declared}")


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, "numpy") as file:  # which compares its header with the file's length
        names = list(file.keys())
        for name in names:
            kind = file.get_slice(name).get_dtype()
            if kind not in _SAFETENSORS:
                raise ValueError(f"array {name!r} holds {kind}, not numbers: save it as float32")
        return {name: file.get_tensor(name) for name in names}


_READERS: Mapping[str, Any] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}
