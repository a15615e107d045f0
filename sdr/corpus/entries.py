"""Entries: pictures that are named but not yet read. Many are read at once; bad ones are skipped and counted."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from sdr.base.errors import UserError
from sdr.base.shown import shown
from sdr.corpus.decode import BadPicture, Decoded, decode, read
from sdr.corpus.depth import FEW, few_levels, is_deep, to_8_bits
from sdr.corpus.images import to_pixels
from sdr.corpus.thumbnail import thumbnail

THREADS = min(32, 2 * (os.cpu_count() or 1))  # decoding releases the interpreter lock
AHEAD = 2 * THREADS  # pictures of any size in memory at a time
CHUNK = 256  # small ones


class Loaded(NamedTuple):
    """A picture that was read: of the file, or of the stored pixels where it comes from no file of its own."""

    sha256: str
    bytes: int
    width: int  # pixels, before resizing
    height: int
    pixels: np.ndarray  # S×S×3 uint8
    content: bytes = b""  # of the corpus's files: encoded, as it is or as it shall be kept
    thumbnail: np.ndarray | None = None  # `sdr.corpus.thumbnail`
    notes: tuple[str, ...] = ()  # of NOTES: what was done to it, or is to be known of it


NOTES = {
    "turned": "are stored turned or mirrored and were turned upright, as their EXIF orientation says",
    "few levels": f"have more than 8 bits a pixel, of which fewer than {FEW} grey levels are left",
}


class Entry(NamedTuple):
    """A picture to be read: its domain (or class), its name, and how to read it at side S."""

    domain: str
    origin: str
    load: Callable[[int], Loaded]


def from_file(path: Path, origin: str, size: int) -> Loaded:
    """Read an image file once: hash and decode it.

    Raises:
        BadPicture: it cannot be read.
    """
    content = read(path)
    found = decode(content, size, upright=True)
    image, notes = plain(found)
    pixels = to_pixels(image, size, origin)
    sha256 = hashlib.sha256(content).hexdigest()
    return Loaded(sha256, len(content), found.width, found.height, pixels, content, thumbnail(image), notes)


def from_image(image: Image.Image, origin: str, size: int) -> Loaded:
    """Take a picture that is in memory."""
    pixels = to_pixels(image, size, origin)
    sha256 = hashlib.sha256(pixels).hexdigest()
    return Loaded(sha256, pixels.nbytes, *image.size, pixels, thumbnail=thumbnail(image))


def plain(found: Decoded) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the picture with 8 bits, and its notes."""
    notes, image = ("turned",) if found.turned else (), found.image
    if is_deep(image):
        image = to_8_bits(image)
        notes += ("few levels",) if few_levels(image) else ()
    return image, notes


class Skipped:
    """The unreadable files so far, and what is to be known of the others."""

    def __init__(self, max_share: float, where: str, setting: str = "data.max_bad_fraction"):
        self.max_share, self.where, self.setting = max_share, where, setting
        self.reasons: list[str] = []  # "name: reason"
        self.noted: dict[str, list[str]] = {}  # note → origins

    def remarks(self) -> list[str]:
        """Say what is to be known of pictures that were read, a sentence each."""
        return [
            f"{len(names):,} pictures {NOTES[note]}, such as {shown(names[0])}" for note, names in self.noted.items()
        ]

    def check(self, read: int) -> None:
        """Raise UserError if of `read` + skipped files more than the allowed share was skipped."""
        total = read + len(self.reasons)
        if len(self.reasons) <= self.max_share * total and read:
            return
        first = "".join(f"\n  {reason}" for reason in self.reasons[:10])
        more = f"\n  and {len(self.reasons) - 10} more" if len(self.reasons) > 10 else ""
        raise UserError(
            f"{self.where}: {len(self.reasons)} of {total} files cannot be read as images, {self.setting} "
            f"allows {self.max_share:.2%}; repair or remove them, or raise it:{first}{more}"
        )


def read_all(entries: Iterable[Entry], size: int, skipped: Skipped) -> Iterator[tuple[Entry, Loaded]]:
    """Yield (entry, what was read) in order, with threads; memory does not grow with the number of entries."""
    with ThreadPoolExecutor(THREADS) as pool:

        def ahead() -> Iterator[tuple[Entry, Future]]:
            waiting: deque[tuple[Entry, Future]] = deque()
            for entry in entries:
                waiting.append((entry, pool.submit(_try, entry, size)))
                if len(waiting) == AHEAD:
                    yield waiting.popleft()
            yield from waiting

        for entry, future in ahead():
            loaded = future.result()
            if isinstance(loaded, Loaded):
                for note in loaded.notes:
                    skipped.noted.setdefault(note, []).append(entry.origin)
                yield entry, loaded
            else:
                skipped.reasons.append(f"{shown(entry.origin)}: {loaded}")


def _try(entry: Entry, size: int) -> Loaded | str:
    try:
        return entry.load(size)
    except BadPicture as error:
        return str(error)
