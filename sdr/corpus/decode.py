"""The one reader of picture files: for the corpus, for tasks, for commands. Which formats, how large, which way up, and what is bad.

Formats are a list: those that people use and whose decoders start no program (Pillow starts `gs` for an EPS, whatever its name
ends in). What a file costs is bounded by its pixels, not by a clock: about 8 bytes of memory each, three times that for JPEG 2000.
Of large ones one is decoded at a time.
"""

import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from sdr.base.errors import UserError
from sdr.base.shown import shown
from sdr.corpus.formats import described, scans, without_texts

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "QOI")
LIMIT = "SDR_MAX_PIXELS"  # environment: the most pixels of a picture
PIXELS = 2**30 // 6  # ... unless it says otherwise: 179 million, as Pillow
SCANS = 100  # of a JPEG, at most; a progressive one has 10
LARGE = 32_000_000  # pixels, decoded: from here on one picture at a time
ORIENTATION = 0x0112  # EXIF: 1 upright; 2 to 8 mirrored or turned
_DNG, _SUBFILE, _SUB_IFDS = 50706, 254, 330  # TIFF
_USUAL = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "I",
    "F",
    "I;16",
    "I;16B",
    "I;16L",
    "I;16N",
)
_one_at_a_time = threading.Lock()
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # sizes are checked here


class BadPicture(Exception):
    """A file that is no picture we read, and why: it is counted and named, and the others are read."""


class Decoded(NamedTuple):
    """A picture, and what its file says of it."""

    image: Image.Image
    width: int  # pixels, before any coarse decoding; as seen, if it was turned upright
    height: int
    turned: bool  # the file stores it turned or mirrored, and says so


@contextmanager
def fault_of_the_file() -> Iterator[None]:
    """Whatever Pillow and its codecs raise in here is the picture's fault: damaged files make them raise anything.

    This is the line between a bad file and a bug of ours: only calls into decoders stand inside; what our own code raises
    outside of it stays a traceback.

    Raises:
        BadPicture
    """
    try:
        yield
    except (BadPicture, UserError):
        raise
    except Image.DecompressionBombError as error:
        raise BadPicture(_too_large(str(error).partition(" exceeds")[0].removeprefix("Image size "))) from None
    except MemoryError:
        raise BadPicture("decoding it needs more memory than there is") from None
    except Exception as error:
        raise BadPicture(shown(str(error) or type(error).__name__)) from error


def header(source: Path | bytes) -> Image.Image:
    """Return a picture of which only the head was decoded: format, mode and size.

    Raises:
        BadPicture: as `decode`, but for what is wrong further on.
    """
    content = source if isinstance(source, bytes) else read(source)
    most = most_pixels()
    Image.MAX_IMAGE_PIXELS = max(
        most, PIXELS
    )  # Pillow's own limit, which people could not raise: half of what it refuses
    image = _open(content)
    if image.width * image.height > most:
        raise BadPicture(_too_large(f"({image.width * image.height:,} pixels)"))
    if image.format in ("JPEG", "MPO") and (passes := scans(content)) > SCANS:
        raise BadPicture(f"a JPEG of {passes:,} scans, made to take long: save it again with another program")
    if image.format == "TIFF" and _is_raw(image):
        raise BadPicture(
            "a camera's raw file, of which only a thumbnail could be read; convert it to JPEG, PNG or TIFF"
        )
    return image


def decode(source: Path | bytes, side: int | None = None, *, upright: bool = False, draft_above: float = 0) -> Decoded:
    """Decode a picture completely; of several frames or pages the first.

    Args:
        source: a file, or its content.
        side: the side that it will be resized to; a JPEG is then decoded at the coarsest DCT scale that still has twice as
            many pixels a side, which saves most of the time.
        upright: turn it as its EXIF orientation says, as viewers do.
        draft_above: only a JPEG of more pixels than that is decoded coarsely.

    Raises:
        BadPicture: the file cannot be read, is none of `FORMATS`, is damaged, cut short or larger than `most_pixels`.
    """
    image = header(source)
    width, height = image.size
    with fault_of_the_file():
        if side is not None and width * height > draft_above:
            image.draft(None, (2 * side, 2 * side))
        with _one_at_a_time if image.width * image.height > LARGE else nullcontext():
            by_pillow = image.format == "TIFF"  # which it turns as it loads it, and then says nothing of it
            way = orientation(image) if by_pillow else None
            image.load()
            way = way or orientation(image)
            if image.mode not in _USUAL:
                image = image.convert("RGBA" if image.mode == "RGBa" else "RGB")
            turned = way in range(2, 9)
            if turned and upright and not by_pillow:
                image = ImageOps.exif_transpose(image)
                width, height = (height, width) if way >= 5 else (width, height)
    return Decoded(image, width, height, turned and upright)


def read(path: Path) -> bytes:
    """Return the content of a regular file; pipes and devices, which may never end, are not read.

    Raises:
        BadPicture: it cannot be read, or has more bytes than a picture of `most_pixels`.
    """
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadPicture("no regular file")
            if status.st_size > 8 * most_pixels():
                raise BadPicture(_too_large(f"({status.st_size:,} bytes)"))
            return file.read()
    except OSError as error:
        raise BadPicture(error.strerror or str(error)) from None
    except ValueError as error:  # a name with a zero byte
        raise BadPicture(str(error)) from None


def most_pixels() -> int:
    """The most pixels that a picture may have.

    Raises:
        UserError: `$SDR_MAX_PIXELS` is no positive whole number.
    """
    value = os.environ.get(LIMIT, "")
    if value and not (value.isascii() and value.isdigit() and int(value)):
        raise UserError(f"{LIMIT}={value}: give a positive whole number of pixels")
    return int(value or PIXELS)


def _open(content: bytes) -> Image.Image:
    """Read the head of a picture."""
    formats, texts = _formats(), False
    with fault_of_the_file():
        try:
            return Image.open(io.BytesIO(content), formats=formats)
        except Image.UnidentifiedImageError:
            pass
        except ValueError as error:
            texts = "MAX_TEXT" in str(error)
            if not texts:
                raise
    if not texts:
        raise BadPicture(described(content))
    content = without_texts(content)
    with fault_of_the_file():
        return Image.open(io.BytesIO(content), formats=formats)


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow was built with, and iPhones' HEIC where the package for it is installed: it is no
    dependency, since its codec is patented in places."""
    Image.init()
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in (*FORMATS, "HEIF") if name in Image.OPEN)


def orientation(image: Image.Image) -> int | None:
    """What EXIF says; None where it says nothing, or is damaged itself, which viewers forgive."""
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:
        return None


def _is_raw(image: Image.Image) -> bool:
    """Whether a TIFF is a DNG, NEF, ARW or the like, whose first page is a thumbnail."""
    tags = image.tag_v2
    reduced = tags.get(_SUBFILE, 0) if _SUB_IFDS in tags else 0
    return _DNG in tags or reduced == 1


def _too_large(what: str) -> str:
    return f"too large {what}: the limit is {most_pixels():,} pixels; `export {LIMIT}=…` raises it"
