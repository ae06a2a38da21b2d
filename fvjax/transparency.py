"""Images with an opacity: (height, width, 4), alpha last, composed over a background."""

from jaxtyping import Array, Float

from fvjax.types import Image

_GREY = 0.5  # behind a transparent image where no background is drawn


def over(image: Image, background: Float[Array, "height width 3"] | float) -> Image:
    """Return alpha · colours + (1 - alpha) · background, (height, width, 3)."""
    colours, alpha = image[..., :3], image[..., 3:]
    return alpha * colours + (1 - alpha) * background


def opaque(image: Image) -> Float[Array, "height width 3"]:
    """Return an image as a network sees it: a transparent one over grey."""
    return over(image, _GREY) if image.shape[-1] == 4 else image
