"""Pictograms: glyphs of an icon font; the task "what does it show" takes other words of it, and three more fonts."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from PIL import Image

from sdr.sources.builtin.glyphs import AWESOME, MATERIAL, PHOSPHOR, REMIX, IconFont, draw, stem
from sdr.sources.builtin.pictures import Example, Picture, chance, shuffled

CORPUS = 2500  # glyphs
KINDS = (  # a glyph belongs to the kind that is the first word of its name: "folder-lock-open-outline"
    *("account", "battery", "book", "calendar", "clipboard", "cloud"),
    *("file", "folder", "home", "message", "printer", "shield"),
)
OTHER_FONTS = (PHOSPHOR, REMIX, AWESOME)  # of the task alone; they follow where the corpus' font has no more
SAME = {"user": "account", "users": "account", "house": "home", "chat": "message", "print": "printer"}  # there
TRAIN, TEST = 45, 50  # glyphs a kind, at most


class Glyph(NamedTuple):
    """A glyph of the task; `stem` is shared by twins, and by the same word of another font."""

    stem: str
    font: IconFont
    name: str
    code: int


def corpus() -> Iterator[Picture]:
    """Yield glyphs in whose names no word is a kind of the task."""
    path, glyphs = MATERIAL.path, MATERIAL.glyphs()
    for name in shuffled(name for name in glyphs if not set(name.split("-")) & set(KINDS))[:CORPUS]:
        yield Picture(MATERIAL.origin(name), draw(path, chr(glyphs[name]), chance(name)))


def task() -> Iterator[Example]:
    """Yield glyphs of each kind, half for either split, as far as `TRAIN` and `TEST` allow.

    A glyph and its filled or outlined twins are in the same split, whatever font they are of.
    """
    glyphs = [*_glyphs((MATERIAL,)), *_glyphs(OTHER_FONTS)]
    ours = {glyph.stem for glyph in glyphs if glyph.font is MATERIAL}
    for kind in KINDS:
        of_kind: dict[str, list[Glyph]] = {}
        for glyph in glyphs:
            if glyph.stem.split("-")[0] == kind:
                of_kind.setdefault(glyph.stem, []).append(glyph)
        stems = sorted(shuffled(of_kind), key=lambda word: word not in ours)
        for split, chosen, count in (("train", stems[1::2], TRAIN), ("test", stems[::2], TEST)):
            for glyph in islice((glyph for word in chosen for glyph in of_kind[word]), count):
                yield Example(split, kind, glyph.font.origin(glyph.name), _draw(glyph))


def _glyphs(fonts: Iterable[IconFont]) -> Iterator[Glyph]:
    for font in fonts:
        for name, code in font.different().items():
            yield Glyph(_stem(font, name), font, name, code)


def _stem(font: IconFont, name: str) -> str:
    first, *rest = stem(name).split("-")
    return "-".join([first if font is MATERIAL else SAME.get(first, first), *rest])


def _draw(glyph: Glyph) -> Image.Image:
    seed = glyph.name if glyph.font is MATERIAL else glyph.font.origin(glyph.name)
    return draw(glyph.font.path, chr(glyph.code), chance(seed))
