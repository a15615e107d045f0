"""Pictures of more than 8 bits a pixel, to 8: by what their type can hold, never by their brightest pixel.

    16-bit integers   0 is black. White is 65,535 where the picture uses the upper bits; 4,095 where 99.9 % of its pixels fit
                      into 12 bits, as those of microscopes and scanners do; in between (up to 14 bits) it moves in a straight
                      line from one to the other, so that no picture changes by a leap.
    others            32-bit integers and floats have no range of their own: black and white are the 0.1st and the 99.9th
                      percentile of the picture's finite values.

What lies outside is clipped; what is not finite, or marked as no data, is black and counts for no percentile.
"""

import numpy as np
from PIL import Image

DEEP = ("I", "F")  # and all modes that begin with I;16
FEW = 32  # grey levels; a deep picture that ends with fewer is named
_TAIL = 0.1  # %
_TWELVE, _FOURTEEN, _SIXTEEN = 2**12 - 1, 2**14 - 1, 2**16 - 1
_NO_DATA = 42113  # TIFF: GDAL's value for no data, as text


def is_deep(image: Image.Image) -> bool:
    """Whether Pillow would clip the picture if it were converted to RGB."""
    return image.mode in DEEP or image.mode.startswith("I;16")


def to_8_bits(image: Image.Image) -> Image.Image:
    """Return a deep picture as 8-bit grey, by the rules above."""
    sixteen = image.mode.startswith("I;16") or image.mode == "I" and image.format in ("PNG", "PPM")
    grey = np.asarray(image).astype(np.float64)
    known = np.isfinite(grey) & (grey != _no_data(image))
    low, high = 0.0, 1.0
    if known.any():
        low, high = np.percentile(grey[known], (_TAIL, 100 - _TAIL), method="nearest")
    if sixteen:
        low, high = 0.0, float(np.interp(high, (_TWELVE, _FOURTEEN), (_TWELVE, _SIXTEEN)))
    scale = 255 / (high - low) if high > low else 0.0
    scaled = np.clip((np.where(known, grey, low) - low) * scale, 0, 255)
    return Image.fromarray(np.round(scaled).astype(np.uint8))


def few_levels(image: Image.Image) -> bool:
    """Whether what `to_8_bits` returned has few grey levels left."""
    return int(np.count_nonzero(image.histogram())) < FEW


def _no_data(image: Image.Image) -> float:
    try:
        return float(image.tag_v2[_NO_DATA].strip("\0 "))
    except (AttributeError, KeyError, ValueError):
        return np.nan  # equal to nothing
