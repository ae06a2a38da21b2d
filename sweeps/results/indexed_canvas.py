"""An image of 256 colours: pictures share most of them, letters and marks have their own."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT, LINE = 12, 15  # pixels of a letter's height, and of a line
WHITE, EMPTY = (255, 255, 255), (235, 235, 235)  # EMPTY: a job that was not run
MARKS = {  # status -> colour of the frame
    "failed": (200, 0, 0),
    "diverged": (235, 120, 0),
    "dead": (120, 120, 120),
    "collapsed": (150, 0, 150),
}
UNKNOWN = (0, 90, 200)  # any other status that is not ok
_GREYS = 8  # of letters, whose edges are smooth
_MOST_PIXELS = 200_000  # from which the palette is chosen

Colour = tuple[int, int, int]


@cache
def font() -> ImageFont.FreeTypeFont:
    """Return the font of the sheet, which Matplotlib brings along."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), FONT)


class Palette:
    """The colours of a sheet: those of its pictures, of its letters and of its marks."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        """Choose the colours of pictures, (height, width, 3) of bytes."""
        greys = [(round(255 * i / (_GREYS - 1)),) * 3 for i in range(_GREYS)]
        fixed = [*greys, EMPTY, *MARKS.values(), UNKNOWN]
        black = np.zeros((1, 3), np.uint8)
        seen = np.concatenate([black, *(picture.reshape(-1, 3) for picture in pictures)])
        seen = seen[:: max(1, len(seen) // _MOST_PIXELS)]
        self.first_grey = free = 256 - len(fixed)
        chosen = Image.fromarray(seen[None]).quantize(free, Image.Quantize.MEDIANCUT, kmeans=2)
        own = (chosen.getpalette() or [])[: 3 * free]
        own += own[:3] * (free - len(own) // 3)
        self.colours = own + [part for colour in fixed for part in colour]
        self._fixed = {tuple(colour): free + i for i, colour in enumerate(fixed)}
        self._own = Image.new("P", (1, 1))  # the pictures take no colour of a mark
        self._own.putpalette(own + own[:3] * len(fixed))

    def place(self, colour: Colour) -> int:
        """Return the place of a colour that is no picture's."""
        return self._fixed[colour]

    def places(self, pixels: np.ndarray) -> np.ndarray:
        """Return the places of a picture's colours, which are dithered."""
        places = np.asarray(Image.fromarray(pixels).quantize(palette=self._own))
        return np.where(places < self.first_grey, places, 0).astype(np.uint8)


class Canvas:
    """Places of colours in a palette, and the letters above them."""

    def __init__(self, width: int, height: int, palette: Palette) -> None:
        """Begin with a white canvas."""
        self.palette = palette
        self.places = np.full((height, width), palette.place(WHITE), np.uint8)
        self.letters = Image.new("L", (width, height), 255)
        self.pen = ImageDraw.Draw(self.letters)

    def fill(self, left: int, top: int, side: int, colour: Colour) -> None:
        """Fill a square."""
        square = self.places[max(top, 0) : top + side, max(left, 0) : left + side]
        square[:] = self.palette.place(colour)

    def write(self, left: float, top: float, text: str, anchor: str = "la") -> None:
        """Write lines of text; `anchor` is Pillow's."""
        self.pen.multiline_text(
            *((left, top), text, 0, font()),
            anchor=anchor,
            spacing=LINE - FONT,
            align={"l": "left", "m": "center", "r": "right"}[anchor[0]],
        )

    def image(self) -> Image.Image:
        """Return the image."""
        letters = np.asarray(self.letters)
        greys = (letters.astype(int) * _GREYS // 256).astype(np.uint8)
        places = np.where(letters < 255, self.palette.first_grey + greys, self.places)
        drawn = Image.frombytes("P", self.letters.size, places.astype(np.uint8).tobytes())
        drawn.putpalette(self.palette.colours)
        return drawn
