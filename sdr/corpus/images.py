"""From a file to square RGB pixels: decode, put on a ground, resize the short side, crop the centre."""

import hashlib
import io
import struct
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

# What Pillow raises for files that are missing, cut short, damaged, huge or no images.
DECODE_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


def decode(source: Path | bytes, size: int | None = None) -> Image.Image:
    """Decode an image file, or its bytes, completely.

    Args:
        source: a path, or the content of a file.
        size: the side the picture will be resized to; a JPEG is then decoded at the coarsest DCT scale
            that still has twice that many pixels a side, which saves most of the time.

    Raises:
        one of `DECODE_ERRORS`: the file cannot be read, is no image, or is cut short.
    """
    image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    if size is not None:
        image.draft(None, (2 * size, 2 * size))
    image.load()
    return image


def to_pixels(image: Image.Image, size: int, name: str) -> np.ndarray:
    """Return S×S×3 uint8: short side resized to `size` (bicubic, antialiased), centre-cropped to a square.

    A transparent picture lies on a plain colour drawn by its name, which stands out from it.
    """
    image = flatten(image, lambda ink: ground(name, ink))
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def flatten(image: Image.Image, colour: Callable[[float], tuple[int, int, int]]) -> Image.Image:
    """Return the picture as RGB; what is transparent is filled with `colour(ink)`, ink = its mean grey, 0..255."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):  # more than 8 bits: Pillow would clip them
        image = Image.fromarray(_to_8_bit(np.asarray(image, dtype=np.float32)))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    plain = Image.new("RGB", image.size, colour(_ink(image)))
    plain.paste(image, mask=image.getchannel("A"))
    return plain


def ground(name: str, ink: float) -> tuple[int, int, int]:
    """Return a plain colour drawn by a name: white for one in three, else any colour.

    So the ground says nothing of domain or class, and is the same on every machine. Colours whose grey is
    within 48 of `ink` (0..255) are passed over: a white icon on white would be lost.
    """
    colours = (_colour(f"{name}#{attempt}") for attempt in count())
    return next(colour for colour in colours if abs(np.dot(colour, (0.299, 0.587, 0.114)) - ink) > 48)


def _colour(name: str) -> tuple[int, int, int]:
    white, red, green, blue = hashlib.sha256(name.encode()).digest()[:4]
    return (255, 255, 255) if white % 3 == 0 else (red, green, blue)


def _ink(image: Image.Image) -> float:
    """Return the mean grey of an RGBA picture where it is not transparent."""
    small = image.resize((16, 16), Image.Resampling.BOX)  # weighs by opacity
    opacity = np.asarray(small.getchannel("A"), dtype=np.float64)
    return float((np.asarray(small.convert("L")) * opacity).sum() / max(opacity.sum(), 1.0))


def _to_8_bit(grey: np.ndarray) -> np.ndarray:
    """Scale grey values of any range to 0..255: 16-bit files by 1/257, others by their own range."""
    low, high = float(grey.min()), float(grey.max())
    if 0 <= low and 255 < high <= 65535:
        return np.round(grey / 257).astype(np.uint8)
    return np.round((grey - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
