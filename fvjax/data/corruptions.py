"""Corrupted images, and images of noise, on which a network should be uncertain.

A function has the form `corruption(key, image, strength) -> image`, image (height, width, 3) in
[0, 1]. At strength 0, `CORRUPTIONS` are the identity and `NOISES` are grey.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.types import Image, Key, Scalar

_MIDDLE = 0.5  # image value about which noise is drawn


def noise(key: Key, image: Image, strength: Scalar) -> Image:
    """Add Gaussian noise of standard deviation `strength` to each value."""
    return jnp.clip(image + strength * jax.random.normal(key, image.shape), 0, 1)


def blur(key: Key, image: Image, strength: Scalar) -> Image:
    """Blur by a Gaussian of standard deviation `strength` in pixels, with mirrored edges."""
    del key
    height, width, _ = image.shape
    kernels = (_smoothing(height, strength), _smoothing(width, strength))
    return jnp.einsum("ij,jkc,lk->ilc", kernels[0], image, kernels[1])


def contrast(key: Key, image: Image, strength: Scalar) -> Image:
    """Move each value to the image's mean by the share `strength`."""
    del key
    return image + strength * (jnp.mean(image) - image)


def white(key: Key, image: Image, strength: Scalar) -> Image:
    """Return white Gaussian noise of standard deviation `strength` in place of the image."""
    return jnp.clip(_MIDDLE + strength * jax.random.normal(key, image.shape), 0, 1)


def pink(key: Key, image: Image, strength: Scalar) -> Image:
    """Return Gaussian noise of amplitude 1/f and standard deviation `strength`.

    Natural images have about this spectrum (Field 1987).
    """
    height, width, _ = image.shape
    frequency = jnp.hypot(jnp.fft.fftfreq(height)[:, None], jnp.fft.fftfreq(width)[None])
    amplitude = jnp.where(frequency > 0, 1 / jnp.where(frequency > 0, frequency, 1), 0)
    spectrum = jnp.fft.fft2(jax.random.normal(key, image.shape), axes=(0, 1))
    drawn = jnp.fft.ifft2(spectrum * amplitude[..., None], axes=(0, 1)).real
    return jnp.clip(_MIDDLE + strength * drawn / jnp.std(drawn), 0, 1)


CORRUPTIONS = {"noise": noise, "blur": blur, "contrast": contrast}  # the image's content stays
NOISES = {"white": white, "pink": pink}  # noise replaces the image


def _smoothing(size: int, stddev: Scalar) -> Float[Array, "size size"]:
    """Return the matrix that smooths a row of pixels, mirrored at its ends."""
    place = jnp.arange(size)
    mirrored = jnp.stack([-1 - place, place, 2 * size - 1 - place])  # each pixel, three times
    distance = place[:, None, None] - mirrored[None]
    narrow = jnp.maximum(stddev, 1e-3)  # at 0 each pixel is its own
    weights = jnp.exp(-0.5 * (distance / narrow) ** 2).sum(1)
    return weights / weights.sum(1, keepdims=True)
