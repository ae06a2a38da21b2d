"""Penalties that do not look at the direction: positive quantities that the caller subtracts."""

import jax.numpy as jnp
from flax import struct

from fvjax import checks
from fvjax.activations import layer_of
from fvjax.direction import Direction
from fvjax.objective import Objective
from fvjax.pictures import total_variation
from fvjax.types import Activations, Scalar


@struct.dataclass(kw_only=True)
class ActivationNorm(Objective):
    """Mean over `layer` of |a| (order 1) or of a² (order 2).

    Lucid's L1 sums instead: its weight times height · width · channels is the weight here.
    """

    layer: str = struct.field(pytree_node=False)
    order: int = struct.field(pytree_node=False)

    def __post_init__(self) -> None:
        """Refuse any order but 1 and 2."""
        checks.choice("order", self.order, (1, 2))

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        del direction
        a = layer_of(activations, self.layer)
        return jnp.mean(jnp.abs(a) if self.order == 1 else a * a)


@struct.dataclass(kw_only=True)
class TotalVariation(Objective):
    """Mean absolute difference between neighbouring pixels of the image, over rows and columns."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        del direction
        return total_variation(layer_of(activations, "image"))
