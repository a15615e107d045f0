"""How well frozen features suit a task: one number, the higher the better, from its training images alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sdr.route.knn import Knn, leave_one_out
from sdr.route.transferability import hscore, logme
from sdr.transfer.metrics import bootstrap, score

ScoreName = Literal["knn", "logme", "hscore"]


@dataclass(frozen=True)
class Score:
    """One of the scores, for the labels of one task.

    Attributes:
        name: "knn", the task's metric in percent of each image classified by the others (the paper's); "logme";
            or "hscore". All can be taken of a multi-label task.
        metric: the task's, for "knn".
        n_classes: C.
        knn: k and T, for "knn".
    """

    name: ScoreName
    metric: str
    n_classes: int
    knn: Knn

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        """Score features N×D against targets, int64 N or bool N×C."""
        return self.resampled(x, y, 0, 0)[0]

    def resampled(self, x: np.ndarray, y: np.ndarray, n: int, seed: int) -> tuple[float, np.ndarray]:
        """The score, and those of `n` bootstrap resamples of the images, votes kept as they are.

        With the same seed and targets the resamples are the same ones, so differences between networks are
        paired. Only "knn" has them; for the others the second is empty.
        """
        if self.name == "knn":
            votes = leave_one_out(x, y, self.n_classes, self.knn.k, self.knn.temperature)
            return score(self.metric, votes, y), bootstrap(votes, y, self.metric, seed, n)
        return (logme if self.name == "logme" else hscore)(x, y, self.n_classes), np.empty(0)
