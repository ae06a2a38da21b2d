"""Penalties independent of the direction: positive quantities that the caller subtracts."""

import jax.numpy as jnp
from jax import lax

from fvjax import checks
from fvjax.activations import layer_of
from fvjax.direction import SPACE, Direction, layer_at
from fvjax.image_quality import blurred, high_frequency, total_variation
from fvjax.objectives.objective import Objective
from fvjax.pytree import dataclass, static
from fvjax.types import Activations, Number, Scalar


@dataclass
class ActivationNorm(Objective):
    """Mean over `layer` of |a| (order 1) or of a² (order 2).

    Lucid's L1 sums: multiply its weight by height · width · channels.
    """

    layer: str = static()
    order: int = static(default=1)

    def __post_init__(self) -> None:
        """Refuse any order but 1 and 2."""
        checks.choice("order", self.order, (1, 2))

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        a = layer_at(activations, self.layer, direction)
        return jnp.mean(jnp.abs(a) if self.order == 1 else a * a)


@dataclass
class IrrelevantNorm(Objective):
    """Mean over `layer` of w·|a| (order 1) or w·a² (order 2), w in [0, 1].

    A penalty on units of an earlier layer that contribute little to the score. `score_of` computes
    the weights w, because an objective has no access to the model.
    """

    layer: str = static()
    order: int = static(default=1)

    def __post_init__(self) -> None:
        """Refuse any order but 1 and 2."""
        checks.choice("order", self.order, (1, 2))

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive.

        Raises:
            ValueError: the activations lack the weights that `score_of` adds.
        """
        name = irrelevance(self.layer)
        if name not in activations:
            raise ValueError(f"IrrelevantNorm needs {name!r} among the activations: see score_of")
        a, weights = (layer_at(activations, layer, direction) for layer in (self.layer, name))
        return jnp.mean(weights * (jnp.abs(a) if self.order == 1 else a * a))


def irrelevance(layer: str) -> str:
    """Return the name under which the activations hold the weights of `IrrelevantNorm`."""
    return f"{layer}{SPACE}irrelevance"


@dataclass
class HighFrequency(Objective):
    """Share of the image's spectral power above half the Nyquist frequency."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        del direction
        return high_frequency(layer_of(activations, "image"))


@dataclass
class Blur(Objective):
    """Half the mean squared difference of the image to its blur, which has no gradient.

    Its gradient is that of blurring a little in each step. Lucid's `blur_input_each_step` sums over
    pixels and colours: multiply its weight by height · width · 3.
    """

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        del direction
        image = layer_of(activations, "image")
        return 0.5 * jnp.mean((image - lax.stop_gradient(blurred(image))) ** 2)


@dataclass
class Opacity(Objective):
    """Mean opacity of a transparent image; 1 for an image without alpha."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        del direction
        image = layer_of(activations, "image")
        return jnp.mean(image[..., 3]) if image.shape[-1] == 4 else jnp.ones(())


@dataclass
class Balanced(Objective):
    """weight · ratio · penalty, with the ratio |∇score| / |∇penalty| at the start.

    The ratio makes weights comparable between objectives and layers. `visualize` measures it
    (`optimization.gradient_balance`); before, the ratio is 1.
    """

    weight: Number
    penalty: Objective
    ratio: Number = 1.0

    def __post_init__(self) -> None:
        """Refuse a weight that is not a finite number of at least 0."""
        checks.not_negative("weight", self.weight)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        return self.weight * self.ratio * self.penalty(activations, direction)

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of several images, positive."""
        return self.weight * self.ratio * self.penalty.score_batch(activations, direction)


@dataclass
class TotalVariation(Objective):
    """Mean absolute difference between neighbouring pixels of the image, over rows and columns."""

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the penalty of one image, positive."""
        del direction
        return total_variation(layer_of(activations, "image"))
