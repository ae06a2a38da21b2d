"""Where the page finds a picture: a link to the file beside it, or its bytes in the page."""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from sweeps.results.flatten import flatten
from sweeps.storage.location import Location

Cell = Mapping[str, Any]  # of the column `image`: bytes and path
_SIDE = 320  # pixels of an embedded picture's longer side, at most
_QUALITY = 85  # of WebP: a third of the PNG's bytes, and no difference that one sees


def link_pictures(
    images: Sequence[Cell | None], directories: Sequence[Location], page: Location
) -> list[str | None]:
    """Return the address of every job's picture, relative to the page.

    Args:
        images: the column `image`.
        directories: of every job's sweep.
        page: the file that the page will be.
    """
    folder_of = {d: _folder(d, page) for d in dict.fromkeys(directories)}
    return [
        None if image is None else folder_of[directory] + quote(image["path"])
        for image, directory in zip(images, directories, strict=True)
    ]


def _folder(directory: Location, page: Location) -> str:
    address = link_file(directory, page)
    return "" if address == "." else f"{address}/"


def link_file(path: Location, page: Location) -> str:
    """Return the address of a file or folder, relative to the page."""
    relative = os.path.relpath(str(path.resolve()), str(page.resolve().parent))
    return quote(Path(relative).as_posix())  # `#`, `%` and `?` are no parts of a file's address


def can_link(directories: Sequence[Location], page: Location) -> bool:
    """Return whether a page reaches the files of all directories by relative addresses."""
    return len({_root(one) for one in (*directories, page)}) == 1


def _root(place: Location) -> str:
    """Return what two places share if a relative address leads from one to the other."""
    scheme, separator, rest = str(place).partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if separator else ""


def embed_pictures(images: Sequence[Cell | None]) -> list[str | None]:
    """Return every picture as a data address: lossy WebP, at most 320 pixels wide and high."""
    with ThreadPoolExecutor() as pool:  # Pillow lets go of the lock while it encodes
        return list(pool.map(lambda one: None if one is None else _embedded(one["bytes"]), images))


def embed_file(path: Location) -> str:
    """Return a file's picture as a data address."""
    return _embedded(path.read_bytes())


def _embedded(data: bytes) -> str:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        small = flatten(picture)
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
