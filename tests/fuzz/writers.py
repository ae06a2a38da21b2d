"""Hostile files, one function for each format: valid content, changed at random."""

import io
import json
import math
import os
import random
import struct
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from caffe_writer import network
from numpy.lib import format as npy
from PIL import Image
from pytorch_writer import as_pickles, as_zip, dictionary, storage, tensor

from fuzz.mutations import ODD_NUMBERS, changed_bytes, changed_value, nested

SHAPES = {"a/weight": (3, 2), "a/bias": (3,)}
_NAMES = ("cat", "dog", ".hidden", "a.png", "b.JPG", ".c.png", "d.txt", "e.tif", "Thumbs.db", "f")


def pictures(draw: random.Random, path: Path) -> None:
    """A picture of one of many forms, changed three times of four."""
    data = draw.choice(_pictures())
    path.write_bytes(changed_bytes(draw, data) if draw.random() < 0.75 else _with_size(draw, data))


@cache
def _pictures() -> list[bytes]:
    ramp = np.tile(np.linspace(0, 1, 12, dtype=np.float32), (12, 1))
    eight, sixteen = (ramp * 255).astype(np.uint8), (ramp * 65535).astype(np.uint16)
    gray, colour = Image.fromarray(eight), Image.fromarray(np.stack([eight] * 3, -1))
    deep, real = Image.fromarray(sixteen), Image.fromarray(ramp)
    exif = Image.Exif()
    exif[0x0112] = 6
    forms: list[tuple[Any, str, dict[str, Any]]] = [
        *[(x, "PNG", {}) for x in (gray, colour, deep, colour.convert("RGBA"), gray.convert("LA"))],
        *[(x, "PNG", {}) for x in (gray.convert("1"), gray.convert("P"), colour.convert("P"))],
        (gray, "PNG", {"transparency": 3}),
        *[(x, "JPEG", {"exif": exif}) for x in (gray, colour, colour.convert("CMYK"))],
        *[(x, "TIFF", {}) for x in (gray, deep, real, colour)],
        *[(colour, "TIFF", {"compression": kind}) for kind in ("tiff_lzw", "packbits")],
        (deep, "TIFF", {"compression": "tiff_lzw"}),
        *[(colour, form, {}) for form in ("WEBP", "BMP", "GIF", "PPM", "EPS", "TGA", "ICO", "PDF")],
        (deep, "PPM", {}),
        (colour.convert("RGBA"), "WEBP", {"lossless": True}),
    ]
    made = []
    for picture, form, options in forms:
        out = io.BytesIO()
        picture.save(out, form, **options)
        made.append(out.getvalue())
    return made


def _with_size(draw: random.Random, data: bytes) -> bytes:
    """A picture that declares another size: 12 stands for width and height."""
    for _ in range(draw.randint(1, 2)):
        for width, order in ((4, ">"), (4, "<"), (2, ">"), (2, "<")):
            kind = f"{order}{'I' if width == 4 else 'H'}"
            at = data.find(struct.pack(kind, 12))
            if at >= 0:
                number = draw.choice((0, 1, 13, 9000, 2**14, 2**16 - 1, 2**31 - 1))
                new = struct.pack(kind, number % 2 ** (8 * width))
                data = data[:at] + new + data[at + width :]
                break
    return data


def folder(draw: random.Random, path: Path) -> None:
    """A folder of pictures, other files, links and circles."""
    path.mkdir()
    for _ in range(draw.randint(0, 9)):
        place = path / draw.choice(_NAMES[:4]) if draw.random() < 0.6 else path
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            continue
        place.mkdir(exist_ok=True)
        file = place / draw.choice(_NAMES)
        if file.exists() or file.is_symlink():
            continue
        match draw.randrange(8):
            case 0:
                ends = (path, path / "cat", path / "nowhere", Path("/dev/null"))
                file.symlink_to(draw.choice(ends))
            case 1:
                os.mkfifo(file)
            case 2:
                pictures(draw, file)
            case _:
                file.write_bytes(draw.choice(_pictures()))


def arrays(draw: random.Random, path: Path) -> None:
    """A .npz or .npy file: changed bytes, or a true file of headers that lie."""
    members = {"a/weight": _npy(draw, (3, 2)), "a/bias": _npy(draw, (3,))}
    data = members["a/bias"] if path.suffix == ".npy" else _zip(draw, members)
    path.write_bytes(changed_bytes(draw, data) if draw.random() < 0.5 else data)


def _npy(draw: random.Random, shape: tuple[int, ...]) -> bytes:
    described: Any = {"shape": list(shape), "fortran_order": False, "descr": "<f4"}
    count = math.prod(shape)
    if draw.random() < 0.3:
        described = changed_value(draw, described)
        count = draw.choice((0, 1, 3, 6))
    if isinstance(described, dict) and draw.random() < 0.1:
        described["descr"] = draw.choice(("|O", "<c8", "|V2", "<U3", ">f8", "|b1", "[('a','<f4')]"))
    if isinstance(described, dict) and isinstance(described.get("shape"), list):
        described["shape"] = tuple(described["shape"])
    text = f"{described!r}\n".encode(errors="replace")
    head = npy.magic(draw.choice((1, 1, 2)), 0)
    length = struct.pack("<H" if head[6] == 1 else "<I", len(text) % 2**16)
    return head + length + text + bytes(4 * count)


def _zip(draw: random.Random, members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    method = zipfile.ZIP_STORED if draw.random() < 0.5 else zipfile.ZIP_DEFLATED
    if draw.random() < 0.05:
        method = zipfile.ZIP_BZIP2
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}{'.npy' if draw.random() < 0.95 else ''}", data)
        if draw.random() < 0.01:
            with archive.open("zeros.npy", "w", force_zip64=True) as member:
                for _ in range(2 ** draw.randint(0, 9)):
                    member.write(bytes(2**20))
    return out.getvalue()


def safetensors(draw: random.Random, path: Path) -> None:
    """A .safetensors file of two tensors, with changed bytes or a changed header."""
    header: Any = {
        "a/weight": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]},
        "a/bias": {"dtype": "F32", "shape": [3], "data_offsets": [24, 36]},
    }
    if draw.random() < 0.6:
        header = changed_value(draw, header)
    if isinstance(header, dict) and draw.random() < 0.2:
        for entry in header.values():
            if isinstance(entry, dict):
                entry["dtype"] = draw.choice(("F8_E4M3", "BF16", "I8", "BOOL", "F64", "C64", "F4"))
    data = _safetensors(json.dumps(header), np.arange(9, dtype="<f4").tobytes())
    path.write_bytes(changed_bytes(draw, data) if draw.random() < 0.4 else data)


def _safetensors(header: str, data: bytes) -> bytes:
    text = header.encode()
    return struct.pack("<Q", len(text)) + text + data


def saved_network(draw: random.Random, path: Path, whole: bytes) -> None:
    """A network of `fvjax.save` with a changed graph, changed fields or changed bytes."""
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    fields = json.loads(header["__metadata__"]["fvjax"])
    graph = json.loads(fields["graph"])
    match draw.randrange(4):
        case 0:
            path.write_bytes(changed_bytes(draw, whole))
            return
        case 1:
            fields = changed_value(draw, fields)
        case _:
            fields["graph"] = json.dumps(changed_value(draw, graph))
    text = nested(draw.choice((10, 10**5))) if draw.random() < 0.01 else json.dumps(fields)
    header["__metadata__"]["fvjax"] = text
    path.write_bytes(_safetensors(json.dumps(header), whole[8 + length :]))


def statistics(draw: random.Random, path: Path, whole: dict[str, np.ndarray]) -> None:
    """A file of statistics whose description, shapes, types or numbers are changed."""
    arrays = dict(whole)
    about = json.loads(bytes(arrays["about"]))
    if draw.random() < 0.5:
        about = changed_value(draw, about)
    text = nested(draw.choice((10, 10**5))) if draw.random() < 0.01 else json.dumps(about)
    arrays["about"] = np.frombuffer(text.encode(), np.uint8)
    for _ in range(draw.randint(0, 3)):
        name = draw.choice(list(arrays))
        array = arrays[name]
        if array.dtype.kind not in "fiu":
            continue
        match draw.randrange(6):
            case 0:
                del arrays[name]
            case 1:
                arrays[name] = array.reshape(-1)[: draw.randint(0, array.size)]
            case 2:
                arrays[name] = array[None] if draw.random() < 0.5 else array.T
            case 3:
                arrays[name] = array.astype(draw.choice(("int8", "float64", "complex64", "U3")))
            case 4:
                factor = draw.choice((0, -1, 1e9, 1e30, float("nan")))
                arrays[name] = array * np.float64(factor)
            case _:
                arrays[f"conv2/{draw.choice(('x', '', 'means/x'))}"] = array
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    data = out.getvalue()
    path.write_bytes(changed_bytes(draw, data) if draw.random() < 0.3 else data)


def pytorch(draw: random.Random, path: Path) -> None:
    """A checkpoint in either form: odd descriptions of tensors, or changed bytes."""

    def odd(number: int) -> int:
        return draw.choice(ODD_NUMBERS) if draw.random() < 0.2 else number

    kind = draw.choice(("FloatStorage", "FloatStorage", "HalfStorage", "ByteStorage", "os"))
    legacy, count = draw.random() < 0.5, odd(6)
    held = storage("0", kind, count, legacy)
    made = tensor(held, odd(0), (odd(2), odd(3)), (odd(3), odd(1)))
    body = dictionary({"w": made, "b": tensor(held, odd(0), (odd(3),), (odd(1),))})
    if draw.random() < 0.4:
        body = changed_bytes(draw, body)
    data = {"0": np.arange(6, dtype="<f4").tobytes()}
    whole = as_pickles(body, data, {"0": odd(6)}) if legacy else as_zip(body, data)
    path.write_bytes(changed_bytes(draw, whole) if draw.random() < 0.3 else whole)


def caffe(draw: random.Random, path: Path) -> None:
    """A .caffemodel of two layers with changed bytes."""
    weights = {"conv/weight": np.ones((2, 1, 3, 3), np.float32), "conv/bias": np.ones(2)}
    weights |= {"fc/weight": np.ones((2, 3), np.float32), "fc/bias": np.ones(2)}
    path.write_bytes(changed_bytes(draw, network(weights, old=draw.random() < 0.5)))


def choices(draw: random.Random, path: Path, rows: list[list[Any]]) -> None:
    """A CSV of answers with changed cells, columns or bytes."""
    changed = changed_value(draw, rows) if draw.random() < 0.7 else rows
    lines = changed if isinstance(changed, list) else [changed]
    cells = [[str(c) for c in line] if isinstance(line, list) else [str(line)] for line in lines]
    data = "\n".join(",".join(line) for line in cells).encode(errors="replace")
    path.write_bytes(changed_bytes(draw, data) if draw.random() < 0.5 else data)


def results(draw: random.Random, path: Path, whole: bytes) -> None:
    """The directory of a sweep whose table has changed bytes."""
    path.mkdir()
    data = changed_bytes(draw, whole) if draw.random() < 0.9 else whole
    (path / "results.parquet").write_bytes(data)


def program(draw: random.Random, path: Path, whole: bytes) -> None:
    """A cached program with changed bytes, in the head more often than their share."""
    path.touch(0o600)
    if draw.random() < 0.1:
        path.write_bytes(whole)
        return
    head, tail = whole[:600], whole[600:]
    if draw.random() < 0.5:
        path.write_bytes(changed_bytes(draw, head) + tail)
    else:
        path.write_bytes(changed_bytes(draw, whole))
