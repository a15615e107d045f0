"""Printed numerals 0 to 9, turned, in two colours: a task only; those of the test are of other typefaces."""

from collections.abc import Iterator

from sdr.sources.builtin.glyphs import draw
from sdr.sources.builtin.pictures import Example, chance
from sdr.sources.packages import shipped

PACKAGE, FOLDER = "matplotlib", "matplotlib/mpl-data/fonts/ttf"
FONTS = {  # a typeface with all its styles is in one split; DejaVu's sans and mono count as one, its serif as another
    "train": (
        *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
        *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
        *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    ),
    "test": (
        *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
        *("cmr10", "cmb10", "cmti10", "cmss10", "cmtt10"),  # Computer Modern
    ),
}
DRAWINGS = {"train": 4, "test": 6}  # of each numeral of each font
TURN = 10  # degrees to either side, at most


def task() -> Iterator[Example]:
    """Yield drawings of numerals; the class is the numeral."""
    for split, fonts in FONTS.items():
        for font in fonts:
            path = f"{FOLDER}/{font}.ttf"
            place = str(shipped(PACKAGE, path))
            for numeral in "0123456789":
                for number in range(DRAWINGS[split]):
                    origin = f"{PACKAGE}:{path}#{numeral},{number}"
                    yield Example(split, numeral, origin, draw(place, numeral, chance(origin), TURN))
