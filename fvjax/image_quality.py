"""Metrics of the pixels alone."""

import jax.numpy as jnp

from fvjax.types import Image, Scalar

_SATURATED = 0.01  # distance from 0 or 1 of a saturated value


def total_variation(image: Image) -> Scalar:
    """Return the mean absolute difference between neighbouring pixels, over rows and columns."""
    down, across = jnp.abs(jnp.diff(image, axis=0)), jnp.abs(jnp.diff(image, axis=1))
    return (jnp.sum(down) + jnp.sum(across)) / (down.size + across.size)


def high_frequency(image: Image) -> Scalar:
    """Return the share of spectral power above half the Nyquist frequency, .25 cycles per pixel."""
    height, width, _ = image.shape
    mean = jnp.mean(image, (0, 1), keepdims=True)
    power = jnp.sum(jnp.abs(jnp.fft.fft2(image - mean, axes=(0, 1))) ** 2, -1)
    y, x = jnp.fft.fftfreq(height)[:, None], jnp.fft.fftfreq(width)[None, :]
    total = jnp.sum(power)
    return jnp.sum(jnp.where(jnp.hypot(y, x) > 0.25, power, 0)) / jnp.where(total > 0, total, 1.0)


def blurred(image: Image) -> Image:
    """Return each pixel's mean with its eight neighbours, itself weighted twice (Lucid's blur).

    At the border, neighbours outside the image are left out.
    """

    def sums(x: Image) -> Image:
        padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
        height, width, _ = x.shape
        shifts = [(i, j) for i in range(3) for j in range(3)]
        return x + sum(padded[i : i + height, j : j + width] for i, j in shifts)

    return sums(image) / sums(jnp.ones_like(image))


def saturated(image: Image) -> Scalar:
    """Return the share of pixel values below .01 or above .99."""
    return jnp.mean((image < _SATURATED) | (image > 1 - _SATURATED))
