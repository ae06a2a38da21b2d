"""A network of the user's, whose weights and errors files in the working directory decide."""

from pathlib import Path

import jax
import jax.numpy as jnp

import fvjax
from fvjax.models.model import Record
from fvjax.models.tiny import tiny
from fvjax.types import Image

JOBS_ON_OWN_NETWORK = (
    *("model=custom", "model._target_=own_network.network", "model.default_layer=conv2"),
    *("model.image_size=32", "steps=3", "seed=0,1"),
    *("hydra.launcher.batch_size=4", "hydra.launcher.job_dirs=false"),
)
RATES = "0.05,0.04,0.03,0.02,0.01"


def wild_rate(n: int) -> str:
    """Return a learning rate that makes the picture infinite."""
    return f"1e3{n % 5 + 4}"


def network() -> fvjax.Model:
    """Return the tiny network with the weights of the seed in the file `weights`, 0 if absent."""
    seed = Path("weights")
    weights = tiny(int(seed.read_text()) if seed.exists() else 0).weights
    return fvjax.Model.from_function(_apply, weights, image_size=32)


def _apply(weights: object, image: Image, record: Record) -> None:
    jax.debug.callback(_check, jnp.isfinite(image).all())
    tiny().network(weights, image, record)


def _check(finite: object) -> None:
    """Raise for a picture that is not finite, if there is a file `break`."""
    if Path("break").exists() and not finite:
        raise FloatingPointError("the network saw a picture that is not finite")
