"""Glyphs of the fonts that packages ship, drawn in two colours, at a place and of a size that a name draws."""

import json
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sdr.sources.packages import shipped

CANVAS = 128  # pixels a side
STYLES = ("-outline", "-fill", "-line")  # ends of the names of a glyph's twins
WEIGHTS = ("-bold", "-light", "-thin")  # ends of the names of a glyph's near copies, in Phosphor


class IconFont(NamedTuple):
    """An icon font of a package and its table, name of a glyph → code point in hexadecimal."""

    package: str
    font: str
    table: str

    @property
    def path(self) -> str:
        return str(shipped(self.package, self.font))

    def glyphs(self) -> dict[str, int]:
        """Code point of each glyph by its name."""
        table = json.loads(shipped(self.package, self.table).read_text())
        return {name: int(code, 16) for name, code in table.items()}

    def different(self) -> dict[str, int]:
        """Like `glyphs`, without further names of the same glyph, and without its near copies of other weights."""
        first = {code: name for name, code in reversed(self.glyphs().items()) if not name.endswith(WEIGHTS)}
        return {name: code for code, name in reversed(first.items())}

    def origin(self, name: str) -> str:
        return f"{self.package}:{self.font}#{name}"


def _of_qtawesome(font: str, version: str) -> IconFont:
    folder = "qtawesome/fonts"
    return IconFont("qtawesome", f"{folder}/{font}-{version}.ttf", f"{folder}/{font}-charmap-{version}.json")


MATERIAL = _of_qtawesome("materialdesignicons6-webfont", "6.9.96")
PHOSPHOR = _of_qtawesome("phosphor", "1.3.0")
REMIX = _of_qtawesome("remixicon", "2.5.0")
AWESOME = _of_qtawesome("fontawesome6-solid-webfont", "6.7.2")
CODICON = _of_qtawesome("codicon", "0.0.36")
ELUSIVE = _of_qtawesome("elusiveicons-webfont", "2.0")


def stem(name: str) -> str:
    """Return the name that a glyph shares with its filled and outlined twins."""
    for style in STYLES:
        name = name.removesuffix(style)
    return name


def draw(font: str, character: str, rng: np.random.Generator, turn: float = 0) -> Image.Image:
    """Draw a character: colours, size (60 to 95 % of the canvas) and place are drawn by `rng`.

    Args:
        font: path of the font.
        character: what to draw.
        turn: largest angle in degrees that it is turned by, to either side.

    Returns:
        an RGB picture of `CANVAS` pixels a side.
    """
    ink, paper = _colours(rng)
    size = int(CANVAS * rng.uniform(0.6, 0.95))
    slack = (CANVAS - size) / 2
    x, y = CANVAS / 2 + rng.uniform(-slack, slack, size=2)
    image = Image.new("RGB", (CANVAS, CANVAS), paper)
    face = ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(image).text((x, y), character, fill=ink, font=face, anchor="mm")
    if turn:
        angle = rng.uniform(-turn, turn)
        image = image.rotate(angle, Image.Resampling.BICUBIC, center=(x, y), fillcolor=paper)
    return image


def _colours(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two colours whose greys differ by at least 80 of 255."""
    while True:
        ink, paper = rng.integers(0, 256, size=(2, 3))
        if abs(float((ink - paper) @ (0.299, 0.587, 0.114))) >= 80:
            return tuple(map(int, ink)), tuple(map(int, paper))
