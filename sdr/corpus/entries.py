"""Entries: pictures that are named but not yet read. Many are read at once; bad ones are skipped and counted."""

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.images import DECODE_ERRORS, decode, to_pixels

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


class Entry(NamedTuple):
    """A picture to be read: its domain (or class), its name, and how to read it at side S."""

    domain: str
    origin: str
    load: Callable[[int], Loaded]


def from_file(path: Path, origin: str, size: int) -> Loaded:
    """Read an image file once: hash and decode it."""
    content = path.read_bytes()
    with Image.open(io.BytesIO(content)) as header:  # the size before any coarse decoding
        width, height = header.size
    image = decode(content, size)
    sha256 = hashlib.sha256(content).hexdigest()
    return Loaded(sha256, len(content), width, height, to_pixels(image, size, origin), content)


def from_image(image: Image.Image, origin: str, size: int) -> Loaded:
    """Take a picture that is in memory."""
    pixels = to_pixels(image, size, origin)
    return Loaded(hashlib.sha256(pixels).hexdigest(), pixels.nbytes, *image.size, pixels)


class Skipped:
    """The unreadable files so far."""

    def __init__(self, max_share: float, where: str, setting: str = "data.max_bad_fraction"):
        self.max_share, self.where, self.setting = max_share, where, setting
        self.reasons: list[str] = []  # "name: reason"

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
                yield entry, loaded
            else:
                skipped.reasons.append(f"{entry.origin}: {loaded}")


def _try(entry: Entry, size: int) -> Loaded | str:
    try:
        return entry.load(size)
    except DECODE_ERRORS as error:
        return _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not an image" if isinstance(error, Image.UnidentifiedImageError) else str(error)
