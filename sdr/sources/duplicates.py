"""Near-duplicates: pictures whose small grey thumbnails correlate almost perfectly.

A thumbnail forgets colour, ground and fine detail, so that a picture drawn again in another size or
colour counts as the same one.
"""

import numpy as np
from PIL import Image

from sdr.corpus.images import flatten

SIDE = 16  # pixels of a thumbnail's side
SAME = 0.97  # correlation from which two pictures count as one


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


class Seen:
    """The pictures kept so far; tells whether a new one looks like one of them."""

    def __init__(self):
        self._thumbnails = np.empty((1024, SIDE * SIDE), dtype=np.float32)
        self._count = 0

    def resembles(self, thumb: np.ndarray) -> bool:
        """Tell whether a kept picture correlates with this thumbnail by at least `SAME`."""
        return bool(self._count) and float((self._thumbnails[: self._count] @ thumb).max()) >= SAME

    def add(self, thumb: np.ndarray) -> None:
        """Keep a thumbnail."""
        if self._count == len(self._thumbnails):
            self._thumbnails = np.concatenate([self._thumbnails, np.empty_like(self._thumbnails)])
        self._thumbnails[self._count] = thumb
        self._count += 1


def _far(ink: float) -> tuple[int, int, int]:
    return (255, 255, 255) if ink < 128 else (0, 0, 0)
