"""A model: two convolutions and a readout, with random weights."""

import jax
import jax.numpy as jnp

import fvjax
from fvjax.ops import layers


def apply(weights, image, record):
    """Run forward on one image (height, width, 3) in [0, 1]; name every layer by `record`."""
    x = record("edges", layers.relu(layers.conv(image, weights["edges"]), record.redirect))
    x = record("shapes", layers.relu(layers.conv(x, weights["shapes"]), record.redirect))
    record("logits", jnp.mean(x, (0, 1)) @ weights["readout"])


def two_layers(channels: int = 8) -> fvjax.Model:
    """Return the model; the arguments are the keys of the config file."""
    keys = jax.random.split(jax.random.key(0), 3)
    weights = {
        "edges": jax.random.normal(keys[0], (3, 3, 3, channels)) / 5,
        "shapes": jax.random.normal(keys[1], (3, 3, channels, channels)) / 8,
        "readout": jax.random.normal(keys[2], (channels, 4)),
    }
    return fvjax.Model.from_function(apply, weights, image_size=32, default_layer="shapes")
