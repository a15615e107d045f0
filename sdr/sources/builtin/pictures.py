"""What the domains of the built-in corpus share: named pictures, repeatable chance, multi-scale crops."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from sdr.corpus.thumbnail import thumbnail


class Picture(NamedTuple):
    """An unlabelled picture and where it comes from: "package:file#part"."""

    origin: str
    image: Image.Image


class Example(NamedTuple):
    """A labelled picture of a task; `split` is "train" or "test"."""

    split: str
    label: str
    origin: str
    image: Image.Image


Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, as Pillow has it


def chance(name: str) -> np.random.Generator:
    """Return the random generator of a name: the same on every machine, whatever else is drawn."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def shuffled(names: Iterable[str]) -> list[str]:
    """Return the names in an order drawn by their hashes."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def crops(
    image: Image.Image, origin: str, count: int, sides: tuple[int, int], box: Box | None = None
) -> Iterator[Picture]:
    """Yield `count` square crops of many scales, at random places of a picture.

    Args:
        image: the whole picture.
        origin: its name, which also draws the places.
        count: number of crops; fewer where nine in ten places are blank.
        sides: shortest and longest side in pixels; sides are log-uniform between them.
        box: the part of the picture that crops stay inside; everything by default.
    """
    left, top, right, bottom = box or (0, 0, *image.size)
    longest = min(sides[1], right - left, bottom - top)
    shortest = min(sides[0], longest)
    rng = chance(f"{origin}#{left},{top}")
    for _ in range(10 * count):
        if count == 0:
            return
        side = int(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
        x = int(rng.integers(left, right - side + 1))
        y = int(rng.integers(top, bottom - side + 1))
        crop = image.crop((x, y, x + side, y + side))
        if thumbnail(crop) is not None:
            count -= 1
            yield Picture(f"{origin}#{x},{y},{side}", crop)


Counts = tuple[int, int]  # pictures for train and for test


def which_part(
    label: str,
    image: Image.Image,
    origin: str,
    counts: Counts,
    sides: tuple[int, int],
    box: Box | None = None,
) -> Iterator[Example]:
    """Yield crops for the question "where is this from", the answer being `label`.

    The box is cut into five columns with gaps of 2 % of its width; the second and the fourth are for
    the test, so that no pixel is in both splits. The other arguments are those of `crops`.
    """
    left, top, right, bottom = box or (0, 0, *image.size)
    width = right - left
    for split, columns, count in (("train", (0, 40, 80), counts[0]), ("test", (20, 60), counts[1])):
        for start in columns:
            column = (left + width * (start + 1) // 100, top, left + width * (start + 19) // 100, bottom)
            for picture in crops(image, origin, count // len(columns), sides, column):
                yield Example(split, label, *picture)
