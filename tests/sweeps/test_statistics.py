"""The command that computes the statistics of layers."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from fvjax.data.image_sets import ReferenceImages
from fvjax.models.model import Model, Record
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.types import Image
from sweeps.statistics import outliers


def scaled(weights: Array, image: Image, record: Record) -> None:
    """Record eight copies of the image's luma, each times a weight, and a layer without outlier."""
    luma = image.mean(-1, keepdims=True)
    record("a", luma * weights[None, None])
    record("b", luma * jnp.ones((1, 1, 8)))


def test_channels_far_stronger_than_the_others_are_named() -> None:
    weights = np.ones(8, np.float32)
    weights[3], weights[6] = 20, -9
    model = Model.from_function(scaled, weights, image_size=8)
    reference = ReferenceStatistics(model, ReferenceImages("generated", (8, 8), 4))
    assert outliers(reference, "a").endswith("the median channel's: 3 (20 times), 6 (9 times)")
    assert outliers(reference, "b") == ""
