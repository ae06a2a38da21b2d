"""Penalties on several images of one job: how alike they are, how far apart."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax import checks
from fvjax.direction import Direction, layer_at
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Number, Scalar

_REACH = 4  # lucid/optvis/objectives.py `alignment`: images up to so far apart are compared


@dataclass
class Diversity(Objective):
    """How alike the images' textures are at `layer`: a penalty, as Lucid's `diversity`.

    (1/n) Σ_{i≠j} <G_i, G_j>, with G = AᵀA / |AᵀA| the normalised Gram matrix of an image's
    channels over positions. One image alone has none to be like: 0.
    """

    layer: str = static()

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """0, for one image."""
        del activations, direction
        return jnp.zeros(())

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of several images, positive."""
        a = _layer_of_each(activations, self.layer, direction)
        a = a.reshape(a.shape[0], -1, a.shape[-1])
        gram = jnp.einsum("npc,npd->ncd", a, a).reshape(a.shape[0], -1)
        size = jnp.sum(gram**2, -1, keepdims=True)
        gram = gram / jnp.sqrt(jnp.where(size > 0, size, 1.0))
        alike = gram @ gram.T
        return (jnp.sum(alike) - jnp.trace(alike)) / a.shape[0]


@dataclass
class Alignment(Objective):
    """How far neighbouring images are apart at `layer`: a penalty, as Lucid's `alignment`.

    Σ_{k=1..4} Σ_i mean((a_i - a_{i+k})²) / decay_ratio^k over images i, i + k in their order; layer
    "image" aligns the pixels.
    """

    layer: str = static()
    decay_ratio: Number = 2.0  # Lucid's decay_ratio: 2

    def __post_init__(self) -> None:
        """Refuse a decay_ratio that divides by zero."""
        checks.positive("decay_ratio", self.decay_ratio)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """0, for one image."""
        del activations, direction
        return jnp.zeros(())

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of several images, positive."""
        a = _layer_of_each(activations, self.layer, direction)
        a = a.reshape(a.shape[0], -1)
        steps = range(1, min(_REACH, a.shape[0] - 1) + 1)
        return sum(
            (jnp.sum(jnp.mean((a[k:] - a[:-k]) ** 2, -1)) / self.decay_ratio**k for k in steps),
            jnp.zeros(()),
        )


def _layer_of_each(activations: Activations, layer: str, direction: Direction) -> Array:
    """Return a layer of several images, at the positions that their directions see."""
    a: Array = jax.vmap(lambda a, d: layer_at(a, layer, d))(dict(activations), direction)
    return a
