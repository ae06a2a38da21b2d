"""Objectives that compare an image with examples: images that excite the direction, or a start."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.direction import SPACE, Direction, activations_at, layer_at
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Scalar


@dataclass
class Match(Objective):
    """-Σ_c mean_p (sort_p a_c - t_pc)² / Σ_c mean_p t_pc²: activations distributed as examples'.

    t_pc: the sorted activations of channel c, averaged over the reference images that excite the
    direction most. After VITAL (Görgün et al. 2025, arXiv:2503.22399), which also weighs channels
    by their relevance; details of its loss may differ. The direction's vector has no effect.
    """

    # (positions, channels), sorted along positions; one position stands for all.
    target: Float[Array, "*positions channels"]

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image.

        Raises:
            ValueError: the target has another number of positions or channels.
        """
        a, _ = activations_at(activations, direction)
        if self.target.shape not in (a.shape, (1, a.shape[1])):
            raise ValueError(f"a target of shape {self.target.shape} does not fit {a.shape}")
        squared = jnp.mean(jnp.sum(self.target**2, -1))
        error = jnp.mean(jnp.sum((jnp.sort(a, 0) - self.target) ** 2, -1))
        return -error / jnp.where(squared > 0, squared, 1.0)


@dataclass
class Anchor(Objective):
    """mean (a - b)² / mean b², with b the activations of a photograph at `layer`: a penalty.

    With an image that starts at the photograph, an early layer and a direction's objective, this is
    feature accentuation (Hamblin et al. 2024, arXiv:2402.10039; without the division there). The
    photograph is seen under the same random view as the image. Layer "image" compares the pixels.
    `score_of` computes b, because an objective has no access to the model.
    """

    image: Float[Array, "*pixels colours"]  # of the photograph: (height, width, 3)
    layer: str = static()

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive.

        Raises:
            ValueError: the activations lack the photograph's, which `score_of` adds.
        """
        name = anchored(self.layer)
        if name not in activations:
            raise ValueError(f"Anchor needs {name!r} among the activations: see score_of")
        a, b = (layer_at(activations, layer, direction) for layer in (self.layer, name))
        squared = jnp.mean(b**2)
        return jnp.mean((a - b) ** 2) / jnp.where(squared > 0, squared, 1.0)


def anchored(layer: str) -> str:
    """Return the name under which the activations hold the photograph's, for `Anchor`."""
    return f"{layer}{SPACE}anchor"
