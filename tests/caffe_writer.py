"""Write a .caffemodel in protobuf's wire format, with caffe.proto's field numbers."""

import numpy as np


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | int | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def blob(array: np.ndarray, old: bool = False) -> bytes:
    """A BlobProto: with a shape, or with the four sides of old files."""
    if old:
        sides = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(field(i, side) for i, side in enumerate(sides, start=1))
    else:
        shape = field(7, field(1, b"".join(map(varint, array.shape))))
    return shape + field(5, array.astype("<f4").tobytes())


def layer(name: str, kind: str, *arrays: np.ndarray, old: bool = False) -> bytes:
    if old:
        number = {"InnerProduct": 14, "Convolution": 4}.get(kind, 8)
        blobs = b"".join(field(6, blob(a, old)) for a in arrays)
        return field(
            2, field(2, "data") + field(3, name) + field(4, name) + field(5, number) + blobs
        )
    blobs = b"".join(field(7, blob(a)) for a in arrays)
    return field(100, field(1, name) + field(2, kind) + field(3, "data") + blobs)


def network(tensors: dict[str, np.ndarray], old: bool) -> bytes:
    """A NetParameter with these layers, a layer without weights and a head for training."""
    names = dict.fromkeys(key.rpartition("/")[0] for key in tensors)
    parts = [field(1, "net"), layer("data", "Data", old=old)]
    for name in names:
        weight, bias = (tensors[f"{name}/{kind}"] for kind in ("weight", "bias"))
        kind = "InnerProduct" if weight.ndim == 2 else "Convolution"
        parts.append(layer(name, kind, weight, bias, old=old))
    head = (np.ones((5, 7), np.float32), np.ones(5, np.float32))
    parts.append(layer("loss1/classifier", "InnerProduct", *head, old=old))
    return b"".join(parts)
