"""The parameterization of a config, with the images that the config names."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

import fvjax
from fvjax import checks
from fvjax.data.image_sets import GENERATED, ReferenceImages
from fvjax.data.photos import read_photo
from fvjax.parameterizations import Parameterization
from fvjax.registration import as_pytree
from sweeps.planning.pieces import make
from sweeps.storage.content_hash import Stamp, stamp

_OF_WRAPPERS = ("colors", "mean", "contrast")
_NO_ARGUMENTS = ("reference_images", "reference_count", "learning_rate", *_OF_WRAPPERS)
_COLORS = ("rgb", "gray", "rgba")
_CACHE_SIZE = 64  # photographs and spectra, which many jobs share


def parameterization_of(config: Mapping[str, Any], size: tuple[int, int]) -> Parameterization:
    """Return the parameterization of a config for images of a size.

    Raises:
        ValueError: a key has a wrong value; the target makes no parameterization.
    """
    made = as_pytree(make(arguments(config, size), image_size=size))
    if not (hasattr(made, "init") and hasattr(made, "decode") and hasattr(made, "image_size")):
        raise ValueError(
            f"parameterization._target_={config['_target_']} must be a parameterization: an "
            f"instance with init(key), decode(params) and image_size; got {made!r}"
        )
    colors, mean, contrast = (config.get(key) for key in _OF_WRAPPERS)
    if colors is not None:
        checks.choice("parameterization.colors", colors, _COLORS)
    if colors == "gray" or mean is not None or contrast is not None:
        made = fvjax.Constrained(
            parameterization=made, mean=mean, contrast=contrast, gray=colors == "gray"
        )
    return fvjax.Transparent(parameterization=made) if colors == "rgba" else made


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
        given["start"] = photograph(start, size)
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


def photograph(path: str, size: tuple[int, int]) -> np.ndarray:
    """Return a photograph at a size: the same array as long as its file does not change."""
    return _photo(path, size, stamp(path))


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
