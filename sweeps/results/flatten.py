"""Pictures without transparency: over the grey over which a network sees them."""

from PIL import Image

_GREY = (128, 128, 128, 255)


def flatten(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB; a transparent one is composed over grey."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, _GREY), picture).convert("RGB")
