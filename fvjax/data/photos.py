"""Reading a picture file as an image for a network.

A file is judged by its content: only the formats of `FORMATS` are ever opened, so that no program
outside Pillow runs, such as Ghostscript for EPS. The size is checked before pixels are decoded.
"""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from fvjax import checks
from fvjax.image_size import ImageSize, height_width

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
}
MOST_PIXELS = 2**27  # of a file; its pixels take 0.5 GB
_BACKGROUND = "white"  # behind transparent pixels, as in a browser
_BITS_PER_SAMPLE = 258  # tag of TIFF


def read_photo(path: str | Path, size: ImageSize) -> Float[np.ndarray, "height width 3"]:
    """Return the middle of a picture, RGB in [0, 1], float32.

    The middle is the largest part with the proportions of `size`, resized to `size`, and rotated
    by the file's EXIF orientation. Transparent pixels are composited over white. Gray values of 9
    to 16 bits are divided by their largest possible value; floats in [0, 1] are taken as they are.

    Raises:
        ValueError: one sentence that names a file that is absent, of another format, broken, or
            larger than `MOST_PIXELS`, or whose numbers have no known range (32 bits, other floats).
    """
    checks.path("the path of a photo", path)
    path = Path(path)
    size = height_width(size)
    if not path.is_file():
        raise ValueError(f"there is no photo {path}")
    try:
        with warnings.catch_warnings():  # Pillow warns of what it ignores
            warnings.simplefilter("ignore")
            return _read(path, size)
    except UnidentifiedImageError as error:
        reason = "it is empty" if not path.stat().st_size else f"it is none of {', '.join(FORMATS)}"
        raise ValueError(f"{path} cannot be read as a picture: {reason}") from error
    except Exception as error:  # Pillow's formats raise errors of any kind for broken files
        raise ValueError(f"{path} cannot be read as a picture: {checks.reason(error)}") from error


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
    with Image.open(path, formats=FORMATS) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError(
                f"it has {opened.width} x {opened.height} pixels, more than {MOST_PIXELS}"
            )
        photo = _in_range(ImageOps.exif_transpose(opened), _depth(opened))
    box = _middle(photo.width, photo.height, *size)
    middle = photo.resize(size[::-1], Image.Resampling.BICUBIC, box)
    if middle.mode == "F":  # bicubic weights overshoot
        gray = np.clip(np.asarray(middle, np.float32), 0, 1)
        return np.repeat(gray[..., None], 3, -1)
    return np.asarray(middle, np.float32) / 255


def _depth(opened: Any) -> int:
    """Return the bits of a gray value in a file whose values have more than eight; 0 if unknown."""
    if opened.mode == "I":
        return 16 if opened.format == "PPM" else 0  # Pillow scales the values of PPM
    if opened.format == "TIFF":
        return int(opened.tag_v2.get(_BITS_PER_SAMPLE, (1,))[0])
    return 16


def _in_range(photo: Image.Image, depth: int) -> Image.Image:
    """Return a picture of mode RGB, or of mode F with values in [0, 1] if it has more levels."""
    if photo.mode == "F":
        values = np.asarray(photo)
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # NaN too
            raise ValueError(f"its floats range from {low:.3g} to {high:.3g}, and not in [0, 1]")
        return photo
    if photo.mode.startswith("I"):
        if not depth:
            raise ValueError("it has gray values of 32 bits: save it with 8 or 16 bits")
        values = np.asarray(photo).astype(np.float32) / (2**depth - 1)
        return Image.fromarray(np.clip(values, 0, 1))
    if photo.has_transparency_data:
        over = photo.convert("RGBA")
        photo = Image.alpha_composite(Image.new("RGBA", over.size, _BACKGROUND), over)
    return photo.convert("RGB")


def _middle(across: int, down: int, height: int, width: int) -> tuple[float, float, float, float]:
    """Return the box of the largest part of a picture with the proportions of height and width."""
    if across * height < down * width:  # the picture is taller
        box_across, box_down = float(across), across * height / width
    else:
        box_across, box_down = down * width / height, float(down)
    left, top = (across - box_across) / 2, (down - box_down) / 2
    if height == width:  # whole pixels
        left, top = math.floor(left), math.floor(top)
    return left, top, left + box_across, top + box_down
