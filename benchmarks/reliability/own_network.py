"""A network of the user's, whose weights and errors files in the working directory decide."""

from pathlib import Path

import jax
import jax.numpy as jnp

import fvjax
from fvjax.models.model import Record
from fvjax.models.tiny import tiny
from fvjax.types import Image

_BASE = tiny().network


def network() -> fvjax.Model:
    """Return the tiny network with the weights of the seed in the file `weights`, 0 if absent."""
    seed = Path("weights")
    weights = tiny(int(seed.read_text()) if seed.exists() else 0).weights
    return fvjax.Model.from_function(_apply, weights, image_size=32)


def _apply(weights: object, image: Image, record: Record) -> None:
    jax.debug.callback(_check, jnp.isfinite(image).all())
    _BASE(weights, image, record)


def _check(finite: object) -> None:
    """Raise for a picture that is not finite, if there is a file `break`."""
    if Path("break").exists() and not finite:
        raise FloatingPointError("the network saw a picture that is not finite")
