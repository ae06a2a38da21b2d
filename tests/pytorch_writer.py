"""Write a state dict as PyTorch does, in both forms, from views of numpy arrays."""

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}


def called(module: str, name: str, arguments: bytes) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode() + arguments + b"R"


def plain(value: object) -> bytes:
    """The opcodes of a plain value, without the protocol in front and the end."""
    return pickle.dumps(value, 2)[2:-1]


def many(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def storage(key: str, kind: str, count: int, legacy: bool = False) -> bytes:
    view = (plain(None),) if legacy else ()
    name = b"ctorch\n" + kind.encode() + b"\n"
    return many(plain("storage"), name, plain(key), plain("cpu"), plain(count), *view) + b"Q"


def tensor(held: bytes, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    hooks = called("collections", "OrderedDict", b")")
    parts = (held, plain(offset), plain(size), plain(stride), plain(False), hooks)
    return called("torch._utils", "_rebuild_tensor_v2", many(*parts))


def dictionary(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(plain(k) + v for k, v in items.items()) + b"u"


def view(array: np.ndarray, base: np.ndarray, key: str, legacy: bool = False) -> bytes:
    """A numpy view of a flat array as a tensor of its storage."""
    width = base.itemsize
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    held = storage(key, STORAGES[str(base.dtype)], base.size, legacy)
    stride = tuple(s // width for s in array.strides)
    return tensor(held, start // width, array.shape, stride)


def as_zip(body: bytes, storages: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + body + b".")
        archive.writestr("archive/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def as_pickles(body: bytes, storages: Mapping[str, bytes], counts: Mapping[str, int]) -> bytes:
    parts = [MAGIC, pickle.dumps(1001, 2), pickle.dumps(SYSTEM, 2), b"\x80\x02" + body + b"."]
    parts.append(pickle.dumps(list(storages), 2))
    for key, data in storages.items():
        parts += [struct.pack("<q", counts[key]), data]
    return b"".join(parts)
