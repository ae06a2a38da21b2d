"""An image as a network that maps each pixel's coordinates to its colour."""

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size, normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number

# From lucid/optvis/param/cppn.py: standard deviation of all biases; root mean square of arctan(x)
# and of its square for standard normal x, by which both halves of the activation are divided.
_BIAS = 0.1
_ARCTAN, _SQUARE = 0.67, 0.6

Layer: TypeAlias = tuple[Float[Array, "_ _"], Float[Array, "_"]]  # (inputs, outputs), (outputs)


@dataclass
class CPPN:
    """A compositional pattern-producing network (Stanley 2007), as Lucid's cppn.

    Coordinates run from -sqrt(3) at the first pixel to sqrt(3) at the last pixel for every size, so
    that the size only sets the sampling of the same picture.
    """

    learning_rate: ClassVar[float] = 0.002
    image_size: ImageSize = static()  # pixels: one number, or height and width
    channels: int = static(default=24)  # channels of every hidden layer; Lucid's
    layers: int = static(default=8)  # number of hidden layers; Lucid's
    stddev: Number = 0.1  # standard deviation of the initial output weights; Lucid: 0
    decorrelate: bool = static(default=True)  # Lucid: no

    def __post_init__(self) -> None:
        """Refuse counts below 1, a negative stddev and a size below 2."""
        fix_size(self, least=2)
        checks.count("channels", self.channels)
        checks.count("layers", self.layers)
        checks.not_negative("stddev", self.stddev)
        checks.boolean("decorrelate", self.decorrelate)

    def init(self, key: Key) -> list[Layer]:
        """Return normal hidden weights of variance 1 / inputs, and normal biases.

        Lucid truncates weights of the same variance at two standard deviations.
        """
        inputs = [2] + [2 * self.channels] * self.layers
        outputs = [self.channels] * self.layers + [3]
        spread = [n**-0.5 for n in inputs[:-1]] + [self.stddev]
        params = []
        for i, k in enumerate(jax.random.split(key, len(inputs))):
            drawn = normal(k, (inputs[i] + 1, outputs[i]))
            params.append((spread[i] * drawn[:-1], _BIAS * drawn[-1]))
        return params

    def decode(self, params: Sequence[Layer]) -> Image:
        """Evaluate the network at every pixel, then apply colour space and sigmoid."""
        height, width = height_width(self.image_size)
        reach = 3**0.5
        lines = [np.linspace(-reach, reach, side, dtype=np.float32) for side in (height, width)]
        down, across = np.meshgrid(*lines, indexing="ij")
        x = jnp.stack([across.ravel(), down.ravel()], -1)
        for layer in params[:-1]:
            angle = jnp.arctan(_linear(layer, x))
            x = jnp.concatenate([angle / _ARCTAN, angle**2 / _SQUARE], -1)
        raw = _linear(params[-1], x).reshape(height, width, 3)
        return to_rgb(raw, self.decorrelate)


def _linear(layer: Layer, x: Float[Array, "pixels inputs"]) -> Float[Array, "pixels outputs"]:
    weight, bias = layer
    return jnp.matmul(x, weight, precision="highest") + bias[None]
