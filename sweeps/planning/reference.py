"""Statistics of models on reference images, loaded once per model, set of images and size."""

import logging
from functools import cache
from pathlib import Path

from fvjax import checks
from fvjax.data.image_sets import ReferenceImages
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import ReferenceStatistics
from sweeps.planning.statistics_file import load_statistics
from sweeps.storage.array_cache import ArrayCache
from sweeps.storage.cache_folder import cache_folder

log = logging.getLogger(__name__)


def load_reference_statistics(
    model: Model, images: str | None, count: int, size: tuple[int, int]
) -> ReferenceStatistics | None:
    """Return the statistics of a model on reference images, cached in the user's folder.

    None if `images` is None.

    Raises:
        ValueError: a folder that does not exist or holds no images; a file of other weights.
    """
    if images is None:
        return None
    checks.path("reference_images", images)
    return _load(model, images, count, size, cache_folder("reference"))


@cache
def _load(
    model: Model, images: str, count: int, size: tuple[int, int], folder: Path | None
) -> ReferenceStatistics:
    if images.endswith(".npz"):
        return load_statistics(model, images, size)
    reference = ReferenceImages(images, size, count)
    for note in reference.notes:
        log.warning(note)

    def announce(what: str) -> None:
        log.info(f"computing {what} over {len(reference)} reference images ({images})")

    return ReferenceStatistics(model, reference, ArrayCache(folder), announce)
