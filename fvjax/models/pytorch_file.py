"""Read the tensors of a PyTorch file (.pt, .pth, .bin) without PyTorch, and strictly.

Two forms exist: a zip archive (since PyTorch 1.6), and before it five pickles behind a magic
number, with the storages' numbers at the end. Both are checked against the file's length before
numbers are read. `fvjax.models.pytorch_pickle` interprets the pickles; nothing is executed.
"""

import io
import mmap
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fvjax import checks
from fvjax.models.pytorch_pickle import read_pickle
from fvjax.models.pytorch_tensors import Storage, Tensor

NESTED = ("state_dict", "model_state_dict", "model")  # of checkpoints, in order of preference
_ZIP = b"PK\x03\x04"
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch/serialization.py
_MAGIC_PICKLE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
ReadStorages = Callable[[Iterable[Storage]], dict[str, bytes]]


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dict: arrays by name, in the file's order, read-only.

    The file holds a dict of tensors, or a checkpoint: a dict whose entry `state_dict`,
    `model_state_dict` or `model` is one. The first of these that is a dict is taken.
    Numbers of other entries, such as an optimizer's, are not read.

    Raises:
        ValueError: a file that is absent, truncated, of another kind, or refers to anything but
            tensors and containers; the message names the file.
    """
    checks.path("the path of a file", path)
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC_PICKLE))
            if start.startswith(_ZIP):
                return _from_zip(path)
            if start == _MAGIC_PICKLE:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                    return _from_pickles(mapped)
            raise ValueError("it begins like neither form of torch.save")
    except Exception as error:  # a broken archive makes its reader raise errors of any kind
        raise ValueError(
            f"{path} cannot be read as a PyTorch file: {checks.reason(error)}"
        ) from error


def _from_zip(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError(f"the archive holds {len(roots)} files data.pkl instead of one")
        root, length = roots[0], path.stat().st_size
        if f"{root}constants.pkl" in entries:
            raise ValueError("it is TorchScript, which holds a program: save the state dict")

        def read(name: str, size: int | None = None) -> bytes:
            if name not in entries:
                raise ValueError(f"the archive lacks {name}")
            info = entries[name]
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > length:
                raise ValueError(f"{name} is compressed or longer than the archive")
            if size is not None and info.file_size != size:
                raise ValueError(f"{name} holds {info.file_size} bytes instead of {size}")
            return archive.read(info)

        def storages(needed: Iterable[Storage]) -> dict[str, bytes]:
            sizes = {s.key: s.count * s.dtype.itemsize for s in needed}
            if sum(sizes.values()) > length:  # entries may overlap
                raise ValueError("its storages are longer than the archive")
            return {key: read(f"{root}data/{key}", size) for key, size in sizes.items()}

        if f"{root}byteorder" in entries and read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers are not little-endian")
        return _arrays(read_pickle(io.BytesIO(read(f"{root}data.pkl"))), storages)


def _from_pickles(mapped: mmap.mmap) -> dict[str, np.ndarray]:
    magic, protocol, system = (read_pickle(mapped) for _ in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise ValueError("its magic number or protocol version is unknown")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    held = read_pickle(mapped)
    keys = read_pickle(mapped)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its list of storages is broken")
    kinds = {tensor.storage.key: tensor.storage.dtype for tensor in _tensors(held)}
    if len(set(keys)) != len(keys) or set(keys) != set(kinds):
        raise ValueError("its list of storages is not that of its tensors")
    places, end = {}, mapped.tell()
    for key in keys:
        start = end + 8  # behind the count
        if start > len(mapped):
            raise ValueError("it ends within its storages")
        (count,) = struct.unpack_from("<q", mapped, end)
        end = start + count * kinds[key].itemsize
        if count < 0 or end > len(mapped):
            raise ValueError(f"storage {key!r} of {count} elements is longer than the file")
        places[key] = slice(start, end)

    def storages(needed: Iterable[Storage]) -> dict[str, bytes]:
        return {key: mapped[places[key]] for key in {s.key for s in needed}}

    return _arrays(held, storages)


def _tensors(held: Any) -> list[Tensor]:
    """Yield all tensors in plain containers, visiting each container once."""
    tensors, open_, seen = [], [held], set()
    while open_:
        value = open_.pop()
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            open_.extend(value.values() if isinstance(value, dict) else value)
    return tensors


def _arrays(held: Any, storages: ReadStorages) -> dict[str, np.ndarray]:
    """Return the arrays of the state dict in the file's contents."""
    tensors = _state_dict(held)
    buffers = storages(tensor.storage for tensor in tensors.values())
    return {name: _array(tensor, buffers[tensor.storage.key]) for name, tensor in tensors.items()}


def _state_dict(held: Any) -> Mapping[str, Tensor]:
    if not isinstance(held, dict):
        raise ValueError(f"it holds a {type(held).__name__} instead of a state dict")
    nested = [held[key] for key in NESTED if isinstance(held.get(key), dict)]
    chosen = nested[0] if nested else held
    for name, value in chosen.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            kind = type(value).__name__
            raise ValueError(f"entry {str(name)[:60]!r} of its state dict is a {kind}, no tensor")
    return chosen


def _array(tensor: Tensor, data: bytes) -> np.ndarray:
    """Return the tensor as a view of its storage; `np.ndarray` checks the bounds again."""
    width = tensor.dtype.itemsize
    first = tensor.storage.first * tensor.storage.dtype.itemsize + tensor.offset * width
    if 0 in tensor.size:
        return np.zeros(tensor.size, tensor.dtype)
    strides = tuple(width * step for step in tensor.stride)
    return np.ndarray(tensor.size, tensor.dtype, data, first, strides)
