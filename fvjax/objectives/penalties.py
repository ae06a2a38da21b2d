"""Penalties that do not look at the direction: positive quantities that the caller subtracts."""

import jax.numpy as jnp

from fvjax import checks
from fvjax.activations import layer_of
from fvjax.direction import SPACE, Direction, layer_at
from fvjax.image_quality import high_frequency, total_variation
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Number, Scalar


@dataclass
class ActivationNorm(Objective):
    """Mean over `layer` of |a| (order 1) or of a² (order 2).

    Lucid's L1 sums instead: its weight times height · width · channels is the weight here.
    """

    layer: str = static()
    order: int = static(default=1)

    def __post_init__(self) -> None:
        """Refuse any order but 1 and 2."""
        checks.choice("order", self.order, (1, 2))

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        a = layer_at(activations, self.layer, direction)
        return jnp.mean(jnp.abs(a) if self.order == 1 else a * a)


@dataclass
class IrrelevantNorm(Objective):
    """Mean over `layer` of w·|a| (order 1) or w·a² (order 2), w from 0 to 1: `irrelevances`.

    A penalty on units of an earlier layer by how little they serve the score; `visualize` supplies
    the weights, since only it has the model.
    """

    layer: str = static()
    order: int = static(default=1)

    def __post_init__(self) -> None:
        """Refuse any order but 1 and 2."""
        checks.choice("order", self.order, (1, 2))

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive.

        Raises:
            ValueError: activations without the weights, which `score_of` adds.
        """
        name = irrelevance(self.layer)
        if name not in activations:
            raise ValueError(f"IrrelevantNorm needs {name!r} among the activations: see score_of")
        a, weights = (layer_at(activations, layer, direction) for layer in (self.layer, name))
        return jnp.mean(weights * (jnp.abs(a) if self.order == 1 else a * a))


def irrelevance(layer: str) -> str:
    """The name of a layer's weights for `IrrelevantNorm` among the activations."""
    return f"{layer}{SPACE}irrelevance"


@dataclass
class HighFrequency(Objective):
    """Share of the image's spectral power above half the Nyquist frequency."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        del direction
        return high_frequency(layer_of(activations, "image"))


@dataclass
class Balanced(Objective):
    """weight · ratio · penalty, with the ratio of gradients at the start: |∇score| / |∇penalty|.

    One weight that means the same for every objective and layer. `visualize` measures the ratio
    (`balance.balanced`); 1 until then.
    """

    weight: Number
    penalty: Objective
    ratio: Number = 1.0

    def __post_init__(self) -> None:
        """Refuse a weight that is no finite number of at least 0."""
        checks.not_negative("weight", self.weight)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        return self.weight * self.ratio * self.penalty(activations, direction)

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of the whole set."""
        return self.weight * self.ratio * self.penalty.score_batch(activations, direction)


@dataclass
class TotalVariation(Objective):
    """Mean absolute difference between neighbouring pixels of the image, over rows and columns."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """The penalty of one image, positive."""
        del direction
        return total_variation(layer_of(activations, "image"))
