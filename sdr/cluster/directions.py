"""Features as unit vectors, held whole where they fit, read and normalised in blocks where they do not."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sdr.base.errors import UserError

_BLOCK = 1 << 26  # bytes of float32 features in a block


class Directions:
    """The features of N images, centred or not, scaled to unit length.

    Args:
        features: N×D floats, possibly memory-mapped: 1.28 million × 2,048 are read in blocks of 64 MiB.
        centre: subtract the mean feature first. Features of one network share a large mean, which says
            nothing of how the images differ but fills most of a cosine.
        device: where the vectors are wanted.
        resident_bytes: hold all N×D float32 on the device if they take at most this much.

    Raises:
        UserError: a feature is not finite.
    """

    def __init__(self, features: np.ndarray, centre: bool, device: torch.device | str, resident_bytes: int):
        self.n, self.dim = features.shape
        self._features, self._device = features, device
        self._mean = torch.zeros(self.dim, device=device)
        total = np.zeros(self.dim)
        for rows in self._slices():
            total += features[rows].sum(axis=0, dtype=np.float64)
        if not np.isfinite(total).all():
            raise UserError("the features hold NaN or infinity; look for a collapsed or diverged network")
        if centre:
            self._mean = torch.as_tensor((total / self.n).astype(np.float32), device=device)
        self._held = None
        if 4 * self.n * self.dim <= resident_bytes:
            self._held = torch.cat([self._load(rows) for rows in self._slices()])

    def rows(self, indices: Tensor) -> Tensor:
        """The unit vectors of some images (B int64 on the CPU), B×D float32 on the device."""
        if self._held is not None:
            return self._held[indices.to(self._device)]
        order = indices.argsort()  # ascending reads are kinder to a disk
        vectors = self._load(indices[order].numpy())
        return vectors[order.argsort().to(self._device)]

    def scores(self, centroids: Tensor, out: Tensor) -> Tensor:
        """Write S = FᵀC, cosines of all images with the centroids (k×D, unit length), into `out` (N×k)."""
        for rows in self._slices():
            vectors = self._load(rows) if self._held is None else self._held[rows]
            torch.matmul(vectors, centroids.T, out=out[rows])
        return out

    def _load(self, rows: slice | np.ndarray) -> Tensor:
        block = torch.as_tensor(np.array(self._features[rows], dtype=np.float32), device=self._device)
        return normalize(block - self._mean, dim=1)

    def _slices(self) -> Iterator[slice]:
        step = max(1, _BLOCK // (4 * self.dim))
        return (slice(start, min(start + step, self.n)) for start in range(0, self.n, step))
