"""Near-duplicates among pictures that come one after another: those whose thumbnails correlate almost perfectly."""

import numpy as np

from sdr.corpus.thumbnail import SAME, SIDE


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
