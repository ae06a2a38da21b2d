"""An image of TextureNet's own generator, whose labels and nuisances are the parameters."""

from typing import ClassVar

import jax
from jaxtyping import Array, Float

from fvjax.data.nuisances import RANGES, nuisances_at
from fvjax.data.textures import ATTRIBUTES, SIZE, render_mixed
from fvjax.image_size import ImageSize, height_width
from fvjax.parameterizations.parameterization import fix_size
from fvjax.pytree import dataclass, static
from fvjax.types import Image, Key

Parameters = dict[str, Float[Array, "choices"]]


@dataclass
class Renderer:
    """The generator as a prior: every image is one that it renders, 64 x 64 pixels.

    The labels are soft: a softmax mixes the shapes' signed distances, the textures' patterns and
    the hues' colours. Nuisances stay in their ranges. So an image cannot leave the distribution on
    which TextureNet was trained, up to mixtures of labels: a ceiling for priors on that network.
    """

    learning_rate: ClassVar[float] = 0.05
    image_size: ImageSize = static(default=SIZE)  # pixels; the generator has one size
    seed: int = static(default=0)  # of the pixel noise and the random blobs, which stay

    def __post_init__(self) -> None:
        """Refuse any other size than the generator's."""
        if height_width(fix_size(self)) != (SIZE, SIZE):
            raise ValueError(f"the renderer makes images of {SIZE} pixels, got {self.image_size}")

    def init(self, key: Key) -> Parameters:
        """Return nearly equal labels and random nuisances, all unbounded numbers."""
        names = (*ATTRIBUTES, "nuisances")
        counts = [*map(len, ATTRIBUTES.values()), len(RANGES)]
        scales = (*[0.1] * len(ATTRIBUTES), 1.0)
        keys = jax.random.split(key, len(names))
        return {
            name: scale * jax.random.normal(k, (count,))
            for name, count, scale, k in zip(names, counts, scales, keys, strict=True)
        }

    def decode(self, params: Parameters) -> Image:
        """Render the soft labels and the nuisances."""
        labels = {name: jax.nn.softmax(params[name]) for name in ATTRIBUTES}
        return render_mixed(labels, nuisances_at(params["nuisances"]), jax.random.key(self.seed))
