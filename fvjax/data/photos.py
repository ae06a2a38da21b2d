"""Reading a photograph as an image for a network."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from fvjax import checks


def read_photo(path: str | Path, size: int) -> Float[np.ndarray, "size size 3"]:
    """The middle square of a photograph, resized to `size` pixels, RGB in [0, 1], float32.

    It is turned upright as the file's EXIF orientation says.

    Raises:
        ValueError: one sentence for a file that does not exist or is no image.
    """
    checks.path("the path of a photo", path)
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
