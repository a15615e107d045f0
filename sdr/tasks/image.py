"""Images of tasks, under the many-shot protocol's transform: resize the short side to S (bicubic), crop the centre S×S.

The arithmetic is that of torchvision's Resize(S, BICUBIC) and CenterCrop(S) on Pillow images, to the bit. A corpus
is read otherwise (`sdr.corpus.images.to_pixels`): there JPEGs are decoded coarsely and the crop comes first, which is
faster and looks the same, but shifts pixels by fractions; numbers that are compared with published ones should not
depend on that.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
from PIL import Image

from sdr.corpus.decode import LARGE, BadPicture, decode, read
from sdr.corpus.entries import Loaded, plain
from sdr.corpus.images import flatten, ground
from sdr.corpus.thumbnail import thumbnail

LARGEST = 100_000_000  # pixels of the resized picture before it is cropped: 400 MB; 224 × 446,000


def from_file(path: Path, origin: str, size: int, upright: bool = True) -> Loaded:
    """Read an image file, by its content and whatever its name ends in; sha256 is that of the file.

    Args:
        path: the file.
        origin: its name in messages; draws the ground of a transparent picture.
        size: side S of the result.
        upright: a person's own picture: it is turned as its EXIF orientation says, and a huge JPEG is decoded coarsely. False:
            the pixels are those that torchvision reads, which data sets of the protocol are compared with.

    Raises:
        BadPicture: the file cannot be read, or is too long.
    """
    content = read(path)
    found = decode(content, size, upright=upright, draft_above=LARGE if upright else math.inf)
    image, notes = plain(found)
    pixels, sha256 = resize_crop(image, origin, size), hashlib.sha256(content).hexdigest()
    return Loaded(sha256, len(content), found.width, found.height, pixels, thumbnail=thumbnail(image), notes=notes)


def from_picture(image: Image.Image, origin: str, size: int) -> Loaded:
    """Take a picture that has no file of its own; sha256 is that of its mode, size and pixels."""
    content = image.tobytes()
    sha256 = hashlib.sha256(f"{image.mode} {image.width}x{image.height} ".encode() + content).hexdigest()
    pixels = resize_crop(image, origin, size)
    return Loaded(sha256, len(content), *image.size, pixels, thumbnail=thumbnail(image))


def resize_crop(image: Image.Image, origin: str, size: int) -> np.ndarray:
    """Return S×S×3 uint8: the picture as RGB, resized and cropped as the protocol does.

    Raises:
        BadPicture: the picture is so long that the protocol's resizing needs too much memory.
    """
    image = flatten(image, lambda ink: ground(origin, ink))
    width, height = image.size
    if width <= height:
        target = (size, int(size * height / width))
    else:
        target = (int(size * width / height), size)
    if target[0] * target[1] > LARGEST:
        raise BadPicture(
            f"{width}×{height} is too long: resized to a short side of {size} it has {target[0]}×{target[1]} pixels"
        )
    image = image.resize(target, Image.Resampling.BICUBIC)
    left, top = (round((side - size) / 2) for side in target)  # torchvision's: half-way goes to the even one
    return np.asarray(image.crop((left, top, left + size, top + size)))
