"""Read the weights of a .caffemodel without Caffe: a strict reader of protobuf's wire format.

Field numbers are those of caffe.proto (BVLC Caffe 1.0): NetParameter, LayerParameter and the older
V1LayerParameter, BlobProto and BlobShape. Everything is checked against the file's length.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fvjax import checks

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
_LAYER, _V1_LAYER = 100, 2  # of NetParameter
_SHAPE, _DATA, _DOUBLES = 7, 5, 8  # of BlobProto; 1 to 4 are the four sides of old blobs
_V1_INNER_PRODUCT = 14
_KINDS = ("weight", "bias")
_MOST_AXES = 32


class _Fields(NamedTuple):
    """Field numbers of a layer's message."""

    name: int
    kind: int
    blobs: int


_OF_LAYER = {_LAYER: _Fields(1, 2, 7), _V1_LAYER: _Fields(4, 5, 6)}
_Value = int | memoryview


def read_caffemodel(path: str | Path) -> dict[str, np.ndarray]:
    """Read all blobs, float32, as "<layer>/weight" and "<layer>/bias", further ones as "<layer>/2".

    Weights are (out, in, rows, columns), of an inner product (out, in); a bias is (out,).

    Raises:
        ValueError: a file, named in the message, that is absent, truncated, of
            another kind, or without weights.
    """
    checks.path("the path of a file", path)
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        blobs = _net(memoryview(path.read_bytes()))
        if not blobs:
            raise ValueError("it holds no layer with weights")
    except (ValueError, OSError, MemoryError) as error:
        raise ValueError(
            f"{path} cannot be read as a .caffemodel: {checks.reason(error)}"
        ) from error
    return blobs


def _net(data: memoryview) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for number, value in _fields(data):
        if number not in _OF_LAYER:
            continue
        name, blobs = _layer(_message(value), _OF_LAYER[number])
        for place, blob in enumerate(blobs):
            key = f"{name}/{_KINDS[place] if place < len(_KINDS) else place}"
            if key in arrays:
                raise ValueError(f"two layers are called {name!r}")
            arrays[key] = blob
    return arrays


def _layer(data: memoryview, fields: _Fields) -> tuple[str, list[np.ndarray]]:
    name, is_inner, blobs = "", False, []
    for number, value in _fields(data):
        if number == fields.name:
            name = bytes(_message(value)).decode()
        elif number == fields.kind:
            kind = value if isinstance(value, int) else bytes(value)
            is_inner = kind in (_V1_INNER_PRODUCT, b"InnerProduct")
        elif number == fields.blobs:
            blobs.append(_message(value))
    arrays = [_blob(blob, name) for blob in blobs]
    for place, array in enumerate(arrays):  # old blobs have four sides, the first ones of length 1
        rank = 2 if is_inner and place == 0 else 1 if place == 1 else array.ndim
        if array.ndim > rank and set(array.shape[:-rank]) == {1}:
            arrays[place] = array.reshape(array.shape[-rank:])
    return name, arrays


def _blob(data: memoryview, layer: str) -> np.ndarray:
    parts: dict[int, list[memoryview]] = {_DATA: [], _DOUBLES: []}
    shape: list[int] = []
    sides: dict[int, int] = {}
    for number, value in _fields(data):
        if number in parts:
            parts[number].append(_message(value))
        elif number == _SHAPE:
            shape = _shape(_message(value))
        elif number <= 4 and isinstance(value, int):
            sides[number] = value
    floats = np.frombuffer(b"".join(parts[_DATA]), "<f4")
    doubles = np.frombuffer(b"".join(parts[_DOUBLES]), "<f8")
    numbers = doubles.astype(np.float32) if doubles.size else floats
    shape = shape or [sides.get(number, 1) for number in range(1, 5)]
    if math.prod(shape) != numbers.size:
        raise ValueError(f"a blob of layer {layer!r} holds {numbers.size} numbers for {shape}")
    return numbers.reshape(shape)


def _shape(data: memoryview) -> list[int]:
    """Return the sides of a shape, packed or not."""
    sides: list[int] = []
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, int):
            sides.append(value)
            continue
        at = 0
        while at < len(value):
            side, at = _varint(value, at)
            sides.append(side)
    if len(sides) > _MOST_AXES or any(side >= 2**31 for side in sides):
        raise ValueError("a blob has too many sides or too long a one")
    return sides


def _message(value: _Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")
    return value


def _fields(data: memoryview) -> Iterator[tuple[int, _Value]]:
    """Yield field numbers and values of a message: varints as numbers, other values as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise ValueError(f"a field has the wire type {wire}")
        if at + length > len(data):
            raise ValueError("it ends within a field")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits per byte, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("it ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is longer than ten bytes")
