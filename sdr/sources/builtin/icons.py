"""Icons of diagrams: providers of the corpus, and the task "whose icon is this" with other providers and icon fonts.

The task's seven providers have some 600 icons that differ, too few for 500 in the test beside a useful training split;
so five icon fonts, of which the corpus has none, are classes too.
"""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from sdr.corpus.decode import decode
from sdr.sources.builtin.glyphs import AWESOME, CODICON, ELUSIVE, PHOSPHOR, REMIX, draw, stem
from sdr.sources.builtin.pictures import Example, Picture, chance, shuffled
from sdr.sources.packages import shipped

PACKAGE, FOLDER = "diagrams", "resources"
TASK = ("alibabacloud", "elastic", "gcp", "ibm", "k8s", "oci", "openstack")  # the corpus has the others
FONTS = {"codicon": CODICON, "elusive": ELUSIVE, "fontawesome": AWESOME, "phosphor": PHOSPHOR, "remix": REMIX}
GLYPHS = 100  # of each font
LARGEST = 256  # pixels a side; a few icons are far larger than they need be


def corpus() -> Iterator[Picture]:
    """Yield every icon of the providers that the task does not have."""
    root = shipped(PACKAGE, FOLDER)
    for provider in sorted(path.name for path in root.iterdir() if path.is_dir()):
        if provider not in TASK:
            for name in _names(provider):
                yield Picture(f"{PACKAGE}:{FOLDER}/{name}", _open(root / name))


def task() -> Iterator[Example]:
    """Yield the icons of the task's providers, and glyphs of its fonts; the class is the provider or the font.

    Every second one is for the test, and at most 150 of a provider are taken.
    """
    root = shipped(PACKAGE, FOLDER)
    for provider in TASK:
        for position, name in enumerate(shuffled(_names(provider))[:150]):
            yield Example(_split(position), provider, f"{PACKAGE}:{FOLDER}/{name}", _open(root / name))
    for label, font in FONTS.items():
        path, glyphs = font.path, font.different()
        one_of_twins = {stem(name): name for name in glyphs}.values()
        for position, name in enumerate(shuffled(one_of_twins)[:GLYPHS]):
            origin = font.origin(name)
            yield Example(_split(position), label, origin, draw(path, chr(glyphs[name]), chance(origin)))


def _split(position: int) -> str:
    return "train" if position % 2 else "test"


def _names(provider: str) -> list[str]:
    root = shipped(PACKAGE, FOLDER)
    return sorted(path.relative_to(root).as_posix() for path in (root / provider).rglob("*.png"))


def _open(path: Path) -> Image.Image:
    """Decode an icon and trim it: whole in a square, with a transparent margin of a sixteenth."""
    icon = decode(path).image.convert("RGBA")
    icon.thumbnail((LARGEST, LARGEST))
    icon = icon.crop(icon.getchannel("A").getbbox())
    side = max(icon.size) * 9 // 8
    square = Image.new("RGBA", (side, side))
    square.paste(icon, ((side - icon.width) // 2, (side - icon.height) // 2))
    return square
