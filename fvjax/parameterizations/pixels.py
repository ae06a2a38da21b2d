"""An image as its pixels."""

from jaxtyping import Array, Float

from fvjax import checks
from fvjax.parameterizations.parameterization import normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key, Number


@dataclass
class Pixels:
    """One unbounded value per pixel and colour; a sigmoid brings it to [0, 1]."""

    size: int = static()  # pixels, of a square image
    deviation: Number  # standard deviation of the initial values; Lucid: .01
    decorrelate: bool = static()

    def __post_init__(self) -> None:
        """Refuse values that make no image."""
        checks.count("size", self.size)
        checks.positive("deviation", self.deviation)
        checks.boolean("decorrelate", self.decorrelate)

    def init(self, key: Key) -> Float[Array, "height width 3"]:
        """Independent normal values."""
        return self.deviation * normal(key, (self.size, self.size, 3))

    def decode(self, params: Float[Array, "height width 3"]) -> Image:
        """Colour space and sigmoid."""
        return to_rgb(params, self.decorrelate)
