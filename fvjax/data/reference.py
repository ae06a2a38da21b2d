"""Reference images: a folder of photographs, or images that TextureNet's generator draws."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from fvjax import checks
from fvjax.data.photos import read_folder
from fvjax.data.textures import sample
from fvjax.types import Image

GENERATED = "generated"


def reference_images(
    source: str, size: int, count: int | None
) -> Iterator[Float[np.ndarray, "size size 3"]]:
    """Images of `size` pixels, RGB in [0, 1], one at a time.

    Args:
        source: `generated`, or the path of a folder of photographs.
        size: of every image.
        count: the generator's seeds 0 ... count - 1; the first `count` photographs by name, or as
            many as there are; None for all photographs.

    Raises:
        ValueError: as `read_folder` does.
    """
    checks.count("size", size)
    if count is not None:
        checks.count("count", count)
    if not isinstance(source, str) or (source != GENERATED and not Path(source).is_dir()):
        raise ValueError(f"images must be {GENERATED} or a folder of photos, got {source!r}")
    if source != GENERATED:
        return read_folder(source, size, count)
    if count is None:
        raise ValueError(f"{GENERATED} images have no end: count must say how many")
    return (np.asarray(_generated(seed, size)) for seed in range(count))


@partial(jax.jit, static_argnums=1)
def _generated(seed: int, size: int) -> Image:
    drawn: Image = jax.image.resize(sample(jax.random.key(seed)).image, (size, size, 3), "linear")
    return drawn
