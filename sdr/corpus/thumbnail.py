"""Thumbnails that tell whether two pictures look the same: small, grey, and forgetful of colour, ground and fine detail.

A picture saved again, in another size, format or colour, so counts as the same one.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.images import flatten

FILE = "thumbnails.i8"  # of a prepared corpus, and of a person's own task
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


def to_bytes(thumb: np.ndarray | None) -> np.ndarray:
    """Return a thumbnail as 256 int8, which its direction survives to 0.01 %; zeros for a blank picture."""
    if thumb is None:
        return np.zeros(SIDE * SIDE, dtype=np.int8)
    return np.round(thumb * (127 / np.abs(thumb).max())).astype(np.int8)


def read_thumbnails(folder: Path) -> np.ndarray:
    """Return the thumbnails of a prepared corpus or task, `N×256` int8: `to_bytes` of each picture.

    Raises:
        UserError: they are not there.
    """
    try:
        return np.fromfile(folder / FILE, dtype=np.int8).reshape(-1, SIDE * SIDE)
    except FileNotFoundError:
        raise UserError(f"{folder / FILE}: not found; run the stage that makes this folder again") from None


def _far(ink: float) -> tuple[int, int, int]:
    return (255, 255, 255) if ink < 128 else (0, 0, 0)
