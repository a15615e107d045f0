"""How well frozen features suit a task: one number, the higher the better, from its training images alone."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sdr.evaluate.knn import Knn, leave_one_out
from sdr.evaluate.metrics import bootstrap, score
from sdr.route.probe import probe
from sdr.route.transferability import hscore, logme

ScoreName = Literal["knn", "logme", "hscore", "probe"]


@dataclass(frozen=True)
class Score:
    """One of the scores, for the labels of one task.

    Attributes:
        name: "knn", the task's metric in percent of each image classified by the others (the paper's); "logme";
            "hscore"; or "probe", the metric as a linear probe has it. All can be taken of a multi-label task.
        metric: the task's, for "knn" and "probe".
        n_classes: C.
        knn: k and T, for "knn".
    """

    name: ScoreName
    metric: str
    n_classes: int
    knn: Knn

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        """Score features N×D against targets, int64 N or bool N×C."""
        if self.name == "knn":
            return score(self.metric, self.votes(x, y), y)
        if self.name == "probe":
            return score(self.metric, probe(x, y, self.n_classes), y)
        return (logme if self.name == "logme" else hscore)(x, y, self.n_classes)

    def resampled(self, x: np.ndarray, y: np.ndarray, n: int, seed: int) -> np.ndarray:
        """Scores of `n` bootstrap resamples of the images, votes kept as they are; empty for all but "knn".

        With the same seed and targets the resamples are the same ones, so differences between networks are
        paired.
        """
        return bootstrap(self.votes(x, y), y, self.metric, seed, n) if self.name == "knn" else np.empty(0)

    def named(self, name: ScoreName) -> "Score":
        """Another score of the same task."""
        return replace(self, name=name)

    def votes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Class scores N×C of each image by its neighbours among the others."""
        return leave_one_out(x, y, self.n_classes, self.knn.k, self.knn.temperature)
