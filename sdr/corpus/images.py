"""From a decoded picture to square RGB pixels: put on a ground, resize the short side, crop the centre."""

import hashlib
from collections.abc import Callable
from itertools import count

import numpy as np
from PIL import Image

from sdr.corpus.decode import fault_of_the_file
from sdr.corpus.depth import is_deep, to_8_bits


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
    """Return the picture as RGB; what is transparent is filled with `colour(ink)`, ink = its mean grey, 0..255.

    Raises:
        BadPicture: its palette or transparency makes no sense.
    """
    if is_deep(image):
        image = to_8_bits(image)
    with fault_of_the_file():
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
