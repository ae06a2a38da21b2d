"""An image as its pixels."""

from typing import ClassVar

from jaxtyping import Array, Float

from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import check_noise, fix_size, from_rgb, normal, to_rgb
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Images, Key, Number


@dataclass
class Pixels:
    """Unbounded values per pixel and colour; a sigmoid maps them to [0, 1]."""

    learning_rate: ClassVar[float] = 0.05
    image_size: ImageSize = static()  # pixels: one number, or height and width
    stddev: Number = 0.01  # standard deviation of the initial values; Lucid: .01
    decorrelate: bool = static(default=True)
    start: Images | None = None  # an image to start from instead of grey

    def __post_init__(self) -> None:
        """Refuse a stddev or start that is not allowed."""
        check_noise(fix_size(self), self.stddev, self.decorrelate, self.start)

    def init(self, key: Key) -> Float[Array, "height width 3"]:
        """Return independent normal values, added to the start if there is one."""
        noise = self.stddev * normal(key, (*height_width(self.image_size), 3))
        return noise if self.start is None else self.encode(self.start) + noise

    def encode(self, image: Image) -> Float[Array, "height width 3"]:
        """Return the values of an image, clipped to half a level of 8 bits."""
        return from_rgb(image, self.decorrelate)

    def decode(self, params: Float[Array, "height width 3"]) -> Image:
        """Apply colour space and sigmoid."""
        return to_rgb(params, self.decorrelate)
