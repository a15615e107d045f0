"""Thumbnails that tell whether two pictures look the same: small, grey, and forgetful of colour, ground and fine detail.

A picture saved again, in another size, format or colour, so counts as the same one.
"""

import numpy as np
from PIL import Image

from sdr.corpus.images import flatten

SIDE = 16  # pixels of a thumbnail's side
SAME = 0.97  # correlation from which two pictures look the same


def thumbnail(image: Image.Image) -> np.ndarray | None:
    """Return the centred, unit-length grey thumbnail (256 float32), None for a blank picture.

    The dot product of two thumbnails is their correlation, in [-1, 1]. Transparent parts count as
    white, of a light picture as black.
    """
    small = flatten(image, _far).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float32).ravel()
    grey -= grey.mean()
    length = float(np.linalg.norm(grey))
    return grey / length if length >= 2.5 * SIDE else None  # standard deviation of 2.5 grey levels


def _far(ink: float) -> tuple[int, int, int]:
    return (255, 255, 255) if ink < 128 else (0, 0, 0)
