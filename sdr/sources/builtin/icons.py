"""Icons of diagrams: providers of the corpus, and the task "whose icon is this" with other providers."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from sdr.corpus.decode import decode
from sdr.sources.builtin.pictures import Example, Picture, shuffled
from sdr.sources.packages import shipped

PACKAGE, FOLDER = "diagrams", "resources"
TASK = ("alibabacloud", "elastic", "gcp", "ibm", "k8s", "oci", "openstack")  # the corpus has the others
TEST_SHARE = 0.35
LARGEST = 256  # pixels a side; a few icons are far larger than they need be


def corpus() -> Iterator[Picture]:
    """Yield every icon of the providers that the task does not have."""
    root = shipped(PACKAGE, FOLDER)
    for provider in sorted(path.name for path in root.iterdir() if path.is_dir()):
        if provider not in TASK:
            for name in _names(provider):
                yield Picture(f"{PACKAGE}:{FOLDER}/{name}", _open(root / name))


def task() -> Iterator[Example]:
    """Yield the icons of the task's providers; the class is the provider, at most 150 of each."""
    root = shipped(PACKAGE, FOLDER)
    for provider in TASK:
        names = shuffled(_names(provider))[:150]
        for position, name in enumerate(names):
            split = "test" if position < TEST_SHARE * len(names) else "train"
            yield Example(split, provider, f"{PACKAGE}:{FOLDER}/{name}", _open(root / name))


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
