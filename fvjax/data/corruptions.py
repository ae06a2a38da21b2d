"""Images made worse, and images of noise: what a network should not be sure about.

Each is `distortion(key, image, strength) -> image`, image (height, width, 3) in [0, 1]. At strength
0 each of `CORRUPTIONS` leaves the image as it is, and each of `NOISES` is grey.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.types import Image, Key, Scalar

_MIDDLE = 0.5  # image value about which noise is drawn


def noise(key: Key, image: Image, strength: Scalar) -> Image:
    """Gaussian noise added to each value, of standard deviation `strength`."""
    return jnp.clip(image + strength * jax.random.normal(key, image.shape), 0, 1)


def blur(key: Key, image: Image, strength: Scalar) -> Image:
    """Gaussian blur of standard deviation `strength` in pixels; what lies outside is mirrored."""
    del key
    height, width, _ = image.shape
    kernels = (_smoothing(height, strength), _smoothing(width, strength))
    return jnp.einsum("ij,jkc,lk->ilc", kernels[0], image, kernels[1])


def contrast(key: Key, image: Image, strength: Scalar) -> Image:
    """Each value moved to the image's mean by the share `strength`."""
    del key
    return image + strength * (jnp.mean(image) - image)


def white(key: Key, image: Image, strength: Scalar) -> Image:
    """In place of the image: independent Gaussian values of standard deviation `strength`."""
    return jnp.clip(_MIDDLE + strength * jax.random.normal(key, image.shape), 0, 1)


def pink(key: Key, image: Image, strength: Scalar) -> Image:
    """In place of the image: Gaussian noise of amplitude 1/f and standard deviation `strength`.

    ReferenceStatistics images have about this spectrum (Field 1987).
    """
    height, width, _ = image.shape
    frequency = jnp.hypot(jnp.fft.fftfreq(height)[:, None], jnp.fft.fftfreq(width)[None])
    amplitude = jnp.where(frequency > 0, 1 / jnp.where(frequency > 0, frequency, 1), 0)
    spectrum = jnp.fft.fft2(jax.random.normal(key, image.shape), axes=(0, 1))
    drawn = jnp.fft.ifft2(spectrum * amplitude[..., None], axes=(0, 1)).real
    return jnp.clip(_MIDDLE + strength * drawn / jnp.std(drawn), 0, 1)


CORRUPTIONS = {"noise": noise, "blur": blur, "contrast": contrast}  # what an image shows stays
NOISES = {"white": white, "pink": pink}  # nothing of it stays


def _smoothing(size: int, stddev: Scalar) -> Float[Array, "size size"]:
    """The matrix that smooths a row of pixels, mirrored at its ends."""
    place = jnp.arange(size)
    mirrored = jnp.stack([-1 - place, place, 2 * size - 1 - place])  # each pixel, three times
    apart = place[:, None, None] - mirrored[None]
    narrow = jnp.maximum(stddev, 1e-3)  # at 0 each pixel is its own
    weights = jnp.exp(-0.5 * (apart / narrow) ** 2).sum(1)
    return weights / weights.sum(1, keepdims=True)
