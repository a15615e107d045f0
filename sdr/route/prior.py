"""Where a task's images lie among the clusters: one forward of the baseline, before any sub-net is tried."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Clusters:
    """The clusters that sub-nets were trained on, as places among the baseline's features.

    Attributes:
        mean: D, what the clustering subtracted; 0 if it did not centre.
        centroids: k×D, of unit length; cluster i is sub-net i's.
    """

    mean: np.ndarray
    centroids: np.ndarray

    def shares(self, features: np.ndarray) -> np.ndarray:
        """Return the share of images N×D in each cluster, float64 k, summing to 1.

        An image belongs to the cluster of the largest cosine, as in the clustering.
        """
        cosine = (features - self.mean) @ self.centroids.T  # up to the length of each feature
        return np.bincount(cosine.argmax(axis=1), minlength=len(self.centroids)) / len(features)
