"""An image as the labels and properties from which TextureNet's generator draws it."""

from typing import ClassVar

import jax
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.data.mixtures import render_mixture
from fvjax.data.textures import ATTRIBUTES, SIZE, nuisances_at
from fvjax.image_size import ImageSize
from fvjax.parameterizations.parameterization import fix_size, normal
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number

_PROPERTIES = 20  # of `Nuisances`


@dataclass
class Generator:
    """Weights of shape, texture and hue, and the properties of an image of TextureNet's generator.

    Every picture is one that the generator can draw, or lies between such pictures: an exact prior
    for networks that were trained on its images. Pixel noise is left out.
    """

    learning_rate: ClassVar[float] = 0.05
    image_size: ImageSize = static(default=SIZE)  # pixels; only 64
    stddev: Number = 1.0  # of the initial parameters, before softmax and sigmoid

    def __post_init__(self) -> None:
        """Refuse a size that the generator does not draw, and a negative stddev."""
        if fix_size(self) != (SIZE, SIZE):
            raise ValueError(
                f"the generator draws {SIZE} x {SIZE} pixels: image_size must be {SIZE}, got "
                f"{self.image_size}"
            )
        checks.not_negative("stddev", self.stddev)

    def init(self, key: Key) -> dict[str, Float[Array, "_"]]:
        """Return normal values for the eight shapes, textures and hues, and for the properties."""
        counts = {name: len(labels) for name, labels in ATTRIBUTES.items()}
        counts["properties"] = _PROPERTIES
        keys = jax.random.split(key, len(counts))
        drawn = zip(counts.items(), keys, strict=True)
        return {name: self.stddev * normal(k, (count,)) for (name, count), k in drawn}

    def decode(self, params: dict[str, Float[Array, "_"]]) -> Image:
        """Draw the image of softmax weights; a sigmoid places each property in its range."""
        shape, texture, hue = (jax.nn.softmax(params[name]) for name in ATTRIBUTES)
        properties = nuisances_at(jax.nn.sigmoid(params["properties"]))
        return render_mixture(shape, texture, hue, properties)
