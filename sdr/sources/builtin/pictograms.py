"""Pictograms: glyphs of an icon font; the task "what does it show" takes other words of the same font."""

import json
from collections.abc import Iterator
from itertools import islice

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sdr.sources.builtin.pictures import Example, Picture, chance, shuffled
from sdr.sources.packages import shipped

PACKAGE = "qtawesome"
FONT = "qtawesome/fonts/materialdesignicons6-webfont-6.9.96.ttf"
TABLE = "qtawesome/fonts/materialdesignicons6-webfont-charmap-6.9.96.json"  # name → code point
CORPUS = 2500  # glyphs
KINDS = (  # a glyph belongs to the kind that is the first word of its name: "folder-lock-open-outline"
    *("account", "battery", "book", "calendar", "clipboard", "cloud"),
    *("file", "folder", "home", "message", "printer", "shield"),
)
TRAIN, TEST = 45, 25  # glyphs a kind, at most
CANVAS = 128  # pixels a side


def corpus() -> Iterator[Picture]:
    """Yield glyphs in whose names no word is a kind of the task."""
    font, glyphs = str(shipped(PACKAGE, FONT)), _glyphs()
    for name in shuffled(name for name in glyphs if not set(name.split("-")) & set(KINDS))[:CORPUS]:
        yield Picture(f"{PACKAGE}:{FONT}#{name}", _draw(font, name, glyphs[name]))


def task() -> Iterator[Example]:
    """Yield glyphs of each kind; a glyph and its outlined twin are in the same split."""
    font, glyphs = str(shipped(PACKAGE, FONT)), _glyphs()
    for kind in KINDS:
        stems = shuffled({name.removesuffix("-outline") for name in glyphs if name.split("-")[0] == kind})
        splits = {"test": stems[: TEST // 2 + 1], "train": stems[TEST // 2 + 1 :]}
        for split, count in (("train", TRAIN), ("test", TEST)):
            twins = (name for stem in splits[split] for name in (stem, f"{stem}-outline") if name in glyphs)
            for name in islice(twins, count):
                yield Example(split, kind, f"{PACKAGE}:{FONT}#{name}", _draw(font, name, glyphs[name]))


def _glyphs() -> dict[str, int]:
    table = json.loads(shipped(PACKAGE, TABLE).read_text())
    return {name: int(code, 16) for name, code in table.items()}


def _draw(font: str, name: str, code: int) -> Image.Image:
    """Draw a glyph: colours, size (60 to 95 % of the canvas) and place are drawn by its name."""
    rng = chance(name)
    ink, paper = _colours(rng)
    size = int(CANVAS * rng.uniform(0.6, 0.95))
    slack = (CANVAS - size) / 2
    x, y = CANVAS / 2 + rng.uniform(-slack, slack, size=2)
    image = Image.new("RGB", (CANVAS, CANVAS), paper)
    face = ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(image).text((x, y), chr(code), fill=ink, font=face, anchor="mm")
    return image


def _colours(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two colours whose greys differ by at least 80 of 255."""
    while True:
        ink, paper = rng.integers(0, 256, size=(2, 3))
        if abs(float((ink - paper) @ (0.299, 0.587, 0.114))) >= 80:
            return tuple(map(int, ink)), tuple(map(int, paper))
