"""Penalties on several images of one job: similar textures, differing neighbours."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax import checks
from fvjax.direction import Direction, layer_at
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Number, Scalar

_REACH = 4  # largest distance of compared images (lucid/optvis/objectives.py `alignment`)


@dataclass
class Diversity(Objective):
    """Similarity of the images' textures at `layer`: a penalty, Lucid's `diversity`.

    (1/n) Σ_{i≠j} <G_i, G_j>, with G = AᵀA / |AᵀA| the normalised Gram matrix of an image's
    channels over positions. The penalty of a single image is 0.
    """

    layer: str = static()

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return 0: one image has no neighbours."""
        del activations, direction
        return jnp.zeros(())

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of several images, positive."""
        a = _stacked_layer(activations, self.layer, direction)
        a = a.reshape(a.shape[0], -1, a.shape[-1])
        gram = jnp.einsum("npc,npd->ncd", a, a).reshape(a.shape[0], -1)
        squared = jnp.sum(gram**2, -1, keepdims=True)
        gram = gram / jnp.sqrt(jnp.where(squared > 0, squared, 1.0))
        cosines = gram @ gram.T
        return (jnp.sum(cosines) - jnp.trace(cosines)) / a.shape[0]


@dataclass
class Alignment(Objective):
    """Squared difference of neighbouring images at `layer`: a penalty, Lucid's `alignment`.

    Σ_{k=1..4} Σ_i mean((a_i - a_{i+k})²) / decay_ratio^k, over the images i in their order. Layer
    "image" aligns the pixels.
    """

    layer: str = static()
    decay_ratio: Number = 2.0  # Lucid's

    def __post_init__(self) -> None:
        """Refuse a decay_ratio of 0 or below."""
        checks.positive("decay_ratio", self.decay_ratio)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return 0: one image has no neighbours."""
        del activations, direction
        return jnp.zeros(())

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of several images, positive."""
        a = _stacked_layer(activations, self.layer, direction)
        a = a.reshape(a.shape[0], -1)
        steps = range(1, min(_REACH, a.shape[0] - 1) + 1)
        return sum(
            (jnp.sum(jnp.mean((a[k:] - a[:-k]) ** 2, -1)) / self.decay_ratio**k for k in steps),
            jnp.zeros(()),
        )


def _stacked_layer(activations: Activations, layer: str, direction: Direction) -> Array:
    """Return a layer of several images, at the positions of their directions."""
    a: Array = jax.vmap(lambda a, d: layer_at(a, layer, d))(dict(activations), direction)
    return a
