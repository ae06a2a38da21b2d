"""A function is a piece too: an objective, a metric and a transform, without a class."""

import jax
import jax.numpy as jnp

import fvjax


def strongest(activations, direction, softness=0.1):
    """Return a smooth maximum over positions of a·v: an objective, with a key `softness`."""
    a, v = fvjax.activations_at(activations, direction)
    return softness * jax.nn.logsumexp(jnp.sum(a * v, -1) / softness)


def colourfulness(activations, direction):
    """Return how far the image's colours are from gray: a metric, or a penalty."""
    image = activations["image"]
    return jnp.mean(jnp.std(image, -1))


def dim(key, image, amount=0.5):
    """Return the image, darker by a random part: a transform."""
    return image * (1 - amount * jax.random.uniform(key))
