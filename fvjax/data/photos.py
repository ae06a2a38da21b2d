"""Reading photographs as images for a network."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError


def read_photo(path: str | Path, size: int) -> Float[np.ndarray, "size size 3"]:
    """The middle square of a photograph, resized to `size` pixels, RGB in [0, 1], float32.

    It is turned upright as the file's EXIF orientation says.

    Raises:
        ValueError: one sentence for a file that does not exist or is no image.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no photo {path}")
    try:
        with Image.open(path) as opened:
            photo = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is no image that Pillow can read") from error
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    square = photo.resize(
        (size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
    )
    return np.asarray(square, np.float32) / 255


def read_folder(
    path: str | Path, size: int, count: int | None = None
) -> Iterator[Float[np.ndarray, "size size 3"]]:
    """The photographs of a folder by name, as `read_photo` gives them; `count` of them at most.

    Files whose name begins with a dot are not looked at.

    Raises:
        ValueError: one sentence, at the call, where there is no such folder, no image in it, or a
            file or folder in it whose name is not an image's; later for a file that is no image.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    known = Image.registered_extensions()
    for file in files:
        if not file.is_file() or file.suffix.lower() not in known:
            raise ValueError(f"a folder of images must hold nothing else, got {file}")
    if not files:
        raise ValueError(f"there is no image in the folder {folder}")
    return (read_photo(file, size) for file in files[:count])
