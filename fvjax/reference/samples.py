"""Activations of reference images at chosen positions, and dot products at every position."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from fvjax.data.image_sets import ImageSet
from fvjax.models.model import Model
from fvjax.objectives.similarity import dots
from fvjax.reference.moments import forward


def sample_vectors(
    model: Model, images: ImageSet, layer: str, per_image: int
) -> Float[np.ndarray, "vectors channels"]:
    """Return activations at random positions of each image; an image's number is its seed."""
    rows = []
    for batch in images:
        activations = forward(model, jnp.asarray(batch.images), (layer,))[layer]
        flat = np.asarray(activations).reshape(len(batch.numbers), -1, activations.shape[-1])
        for number, positions in zip(batch.numbers, flat, strict=True):
            draws = np.random.default_rng(number)  # independent of the batches
            rows.append(positions[draws.permutation(len(positions))[:per_image]])
    return np.concatenate(rows)


def position_projections(
    model: Model, images: ImageSet, layer: str, vectors: Float[np.ndarray, "height width channels"]
) -> Float[np.ndarray, "images"]:
    """Return each image's mean over positions of a·v/|v|, with a vector v for each position."""
    projections, stacked = np.empty(len(images)), jnp.asarray(vectors, jnp.float32)[None]
    for batch in images:
        activations = forward(model, jnp.asarray(batch.images), (layer,))[layer]
        projections[batch.numbers] = dots(activations, stacked).mean((1, 2))
    return projections


def rows_at(
    model: Model, images: ImageSet, layer: str, index: tuple[int, ...]
) -> Float[np.ndarray, "images channels"]:
    """Return each image's activation at one position."""
    rows = np.empty((len(images), model.layers[layer][-1]), np.float32)
    for batch in images:
        activations = forward(model, jnp.asarray(batch.images), (layer,))[layer]
        rows[batch.numbers] = activations[(slice(None), *index)]
    return rows
