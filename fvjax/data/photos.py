"""Reading a photograph as an image for a network."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from fvjax import checks
from fvjax.image_size import ImageSize, height_width


def read_photo(path: str | Path, size: ImageSize) -> Float[np.ndarray, "height width 3"]:
    """Return the middle of a photograph, RGB in [0, 1], float32.

    The middle is the largest part with the proportions of `size`, resized to `size`, and rotated
    by the file's EXIF orientation.

    Raises:
        ValueError: a file that does not exist or is not an image.
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
    height, width = height_width(size)
    if photo.width * height < photo.height * width:  # the photo is taller
        across, down = float(photo.width), photo.width * height / width
    else:
        across, down = photo.height * width / height, float(photo.height)
    left, top = (photo.width - across) / 2, (photo.height - down) / 2
    if height == width:  # whole pixels
        left, top = math.floor(left), math.floor(top)
    square = photo.resize(
        (width, height), Image.Resampling.BICUBIC, (left, top, left + across, top + down)
    )
    return np.asarray(square, np.float32) / 255
