"""Caffe's ImageNet networks: preprocessing, concatenated branches and loading by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from fvjax.models.class_names import imagenet_classes
from fvjax.models.flax_modules import Linen
from fvjax.models.model import Model, Record
from fvjax.models.weights import read_caffe
from fvjax.ops import layers
from fvjax.types import Image

_MEAN_BGR = (104.0, 117.0, 123.0)  # of ImageNet, in the weights' metadata


def preprocess(image: Image) -> Array:
    """Map RGB in [0, 1] to BGR in 0 ... 255, less the mean."""
    shape = (1,) * (image.ndim - 1) + (3,)
    return image[..., ::-1] * 255 - jnp.array(_MEAN_BGR).reshape(shape)


def concat_branches(record: Record, name: str, branches: Mapping[str, Array]) -> Array:
    """Concatenate and rectify branches; record "<name>_pre_relu", each branch, and `name`.

    Each of these is computed from the one before, so that offsets work at all of them.
    """
    before = jnp.concatenate(list(branches.values()), -1)
    before = record(f"{name}_pre_relu", before, main=False)
    ends = np.cumsum([branch.shape[-1] for branch in branches.values()])[:-1]
    after = jnp.split(layers.relu(before, record.redirect), ends, -1)
    after = [record(b, part, main=False) for b, part in zip(branches, after, strict=True)]
    return record(name, jnp.concatenate(after, -1))


def load_caffe(
    module: Any,
    names: Mapping[str, str],
    path: str | Path,
    *,
    image_size: int,
    default_layer: str,
) -> Model:
    """Return a model from Caffe's weights; `names` maps linen layers to Caffe's."""
    return Model(
        weights=read_caffe(path, params_of(module), names),
        network=Linen(module),
        image_size=(image_size, image_size),
        default_layer=default_layer,
        classes=imagenet_classes(),
    )


def params_of(module: Any) -> Any:
    """Return the shapes of a linen module's params, which do not depend on the image size."""

    def initialise(key: Array, image: Array) -> Any:
        return module.init(key, image, Record({}, False))["params"]

    image = jax.ShapeDtypeStruct((224, 224, 3), jnp.float32)
    return jax.eval_shape(initialise, jax.random.key(0), image)
