"""The arguments of a parameterization from its config, with the images that the config names."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

import fvjax
from fvjax.data.image_sets import GENERATED, ReferenceImages
from fvjax.data.photos import read_photo
from sweeps.storage.content_hash import Stamp, stamp

_NO_ARGUMENTS = ("reference_images", "reference_count", "learning_rate")
_CACHE_SIZE = 64  # photographs and spectra, which many jobs share


def arguments(config: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Return the arguments of a parameterization for images of a size, all but the size.

    They are those of its config with two exceptions: the path `start` becomes that photograph, and
    `reference_images` with `reference_count` become the `magnitude` of their spectrum. The learning
    rate is an argument of the recipe.
    """
    given = {name: value for name, value in config.items() if name not in _NO_ARGUMENTS}
    start = config.get("start")
    if start is not None:
        if not isinstance(start, str):
            raise ValueError(f"parameterization.start must be the path of a photo, got {start!r}")
        given["start"] = _photo(start, size, stamp(start))
    if "reference_images" in config:
        source, count = config["reference_images"], config["reference_count"]
        if source is None:
            raise ValueError(
                "parameterization=maco needs reference images: give reference_images=generated or "
                "reference_images=FOLDER"
            )
        stamped = stamp(source) if source != GENERATED and isinstance(source, str) else ()
        given["magnitude"] = _magnitude(source, size, count, config["decorrelate"], stamped)
    return given


@lru_cache(_CACHE_SIZE)
def _photo(path: str, size: tuple[int, int], stamped: Stamp) -> np.ndarray:
    return read_photo(path, size)


@lru_cache(_CACHE_SIZE)
def _magnitude(
    source: str, size: tuple[int, int], count: int, decorrelate: bool, stamped: Stamp
) -> np.ndarray:
    reference = ReferenceImages(source, size, count)
    images = (image for batch in reference for image in batch.images)
    return np.asarray(fvjax.spectrum(images, decorrelate))
