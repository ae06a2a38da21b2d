"""The globals of a PyTorch pickle: dtypes, storages, and functions that rebuild tensors.

Everything here describes; numbers are read by `fvjax.models.pytorch_file`. Every description is
checked: a tensor lies within its storage, and counts are counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

_DTYPES: Mapping[str, Any] = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint64": np.uint64,
    "uint32": np.uint32,
    "uint16": np.uint16,
    "uint8": np.uint8,
    "bool": np.bool_,
}
_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_MOST_REPEATED = 2**24  # elements of a tensor that repeats those of its storage


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file: `count` of `dtype` under `key`, from element `first` on."""

    key: str
    dtype: np.dtype[Any]
    count: int
    first: int = 0


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; sizes and strides count elements."""

    storage: Storage
    dtype: np.dtype[Any]
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class Global:
    """A name of the lists above: a function to call, or a value for arguments (`made`)."""

    name: str
    call: Callable[..., Any] | None = None
    made: Any = None


def storage_of(description: Any) -> Storage:
    """Return a storage from PyTorch's description: type, key, device, count and view."""
    if (
        type(description) is not tuple
        or len(description) not in (5, 6)
        or description[0] != "storage"
    ):
        raise ValueError("its pickle refers to something that is no storage")
    _, kind, key, _, count, *view = description
    if not isinstance(kind, Global) or not isinstance(kind.made, np.dtype):
        raise TypeError
    if not isinstance(key, str) or not _counts((count,)):
        raise ValueError("a storage has no key or no length")
    if view and view[0] is not None:
        _, first, length = view[0]
        if not _counts((first, length)) or first + length > count:
            raise ValueError(f"storage {key!r} is viewed beyond its end")
        return Storage(key, kind.made, length, first)
    return Storage(key, kind.made, count)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
    """Return a view of a storage; `rest` (gradient flag, hooks, metadata) is ignored.

    The view must lie within its storage, and may repeat the storage's elements by strides of 0.
    """
    if not isinstance(storage, Storage) or len(rest) > 3:
        raise TypeError
    return _viewed(storage, storage.dtype, offset, size, stride)


def _tensor_of_dtype(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    gradient: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    """Return a view of a storage of bytes."""
    if not isinstance(storage, Storage) or not isinstance(dtype, Global):
        raise TypeError
    if not isinstance(dtype.made, np.dtype):
        raise TypeError
    return _viewed(storage, dtype.made, offset, size, stride)


def _viewed(storage: Storage, dtype: np.dtype[Any], offset: Any, size: Any, stride: Any) -> Tensor:
    if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride):
        raise TypeError
    if not _counts((offset, *size, *stride)) or len(size) > 32:
        raise ValueError("a tensor's offset, size or stride is no count")
    held = storage.count * storage.dtype.itemsize // dtype.itemsize
    elements = 1
    for n in size:
        elements *= n
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if elements and last >= held:
        raise ValueError(f"a tensor of size {size} reaches beyond its storage {storage.key!r}")
    if elements > max(held, _MOST_REPEATED):
        raise ValueError(f"a tensor of size {size} repeats the {held} elements of its storage")
    return Tensor(storage, dtype, offset, size, stride)


def _counts(values: tuple[Any, ...]) -> bool:
    return all(type(value) is int and 0 <= value < 2**62 for value in values)


def _parameter(data: Any, *rest: Any) -> Tensor:
    """Return the tensor of a parameter."""
    if not isinstance(data, Tensor) or len(rest) > 2:
        raise TypeError
    return data


def _ordered_dict(items: Any = ()) -> dict[Any, Any]:
    if type(items) not in (tuple, list):
        raise TypeError
    made: dict[Any, Any] = {}
    for key, value in items:
        check_key(key)
        made[key] = value
    return made


def _size(items: Any) -> tuple[Any, ...]:
    if type(items) is not tuple:
        raise TypeError
    return items


def _device(*parts: Any) -> str:
    if not all(type(part) in (str, int) for part in parts):
        raise TypeError
    return ":".join(str(part) for part in parts)


def check_key(key: Any) -> None:
    """Refuse keys other than strings and numbers: hashing deeply nested tuples crashes."""
    if key is not None and type(key) not in (str, int, float, bool, bytes):
        raise TypeError


def _values() -> dict[tuple[str, str], Global]:
    found = {("torch", name): Global(name, made=np.dtype(t)) for name, t in _DTYPES.items()}
    for name, dtype in _STORAGES.items():
        found["torch", name] = Global(name, made=np.dtype(_DTYPES[dtype]))
    found["torch.storage", "UntypedStorage"] = Global("bytes", made=np.dtype(np.uint8))
    return found


_ALLOWED: Mapping[tuple[str, str], Global] = _values() | {
    ("collections", "OrderedDict"): Global("OrderedDict", _ordered_dict),
    ("torch", "Size"): Global("Size", _size),
    ("torch", "device"): Global("device", _device),
    ("torch._utils", "_rebuild_tensor"): Global("_rebuild_tensor", _tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Global("_rebuild_tensor_v2", _tensor),
    ("torch._utils", "_rebuild_tensor_v3"): Global("_rebuild_tensor_v3", _tensor_of_dtype),
    ("torch._utils", "_rebuild_parameter"): Global("_rebuild_parameter", _parameter),
}


def find_global(module: Any, name: Any) -> Global:
    """Look a name up; refuse names outside the list, and never import them."""
    if type(module) is not str or type(name) is not str:
        raise TypeError
    allowed = _ALLOWED.get((module, name))
    if allowed is None:
        raise ValueError(
            f"it refers to {module[:60]}.{name[:60]}, which is not loaded: write it with "
            "torch.save(network.state_dict(), path)"
        )
    return allowed
