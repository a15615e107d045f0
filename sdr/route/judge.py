"""What one candidate's features say of a task: its scores on all images and without each fold, and how it does on each image."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sdr.evaluate.metrics import score
from sdr.route.probe import probe
from sdr.route.score import Score, ScoreName


@dataclass(frozen=True)
class Judged:
    """Of one candidate.

    Attributes:
        values: name of a score → its value on all images, then without fold 0, 1, …: float64 1 + F.
        hits: how well each image is classified by the others, float64 N: their mean is the task's metric, as a share. Of
            "top1" 1 or 0; of "mean_per_class" the same, weighted by N / (C · images of the class); of "map" the image's label
            ranking average precision, since average precision itself is no mean over images. By kNN and, where it is one of the
            scores, by the linear probe: the mean of both.
        folds: of each image, int64 N in [0, F).
    """

    values: dict[str, NDArray[np.float64]]
    hits: NDArray[np.float64]
    folds: NDArray[np.int64]


@dataclass(frozen=True)
class Judge:
    """Judges features for the labels of one task.

    Attributes:
        names: of the scores that count.
        score: of the task, whichever its name; the others are made from it.
        targets: of all images, int64 N or bool N×C.
        folds: of each image, int64 N; F is the number of folds.
    """

    names: tuple[ScoreName, ...]
    score: Score
    targets: NDArray
    folds: NDArray[np.int64]

    def on(self, rows: NDArray[np.int64]) -> "Judge":
        """Of some of the images alone."""
        return replace(self, targets=self.targets[rows], folds=self.folds[rows])

    def __call__(self, x: NDArray) -> Judged:
        """Judge features N×D of these images."""
        y, classes, metric = self.targets, self.score.n_classes, self.score.metric
        last = int(self.folds.max(initial=0))
        rest = [self.folds != fold for fold in range(last + 1)] if last else []
        predicted = {"knn": self.score.votes(x, y)}
        if "probe" in self.names:
            predicted["probe"] = probe(x, y, classes)
        hits = {name: hits_of(metric, found, y) for name, found in predicted.items()}
        values: dict[str, NDArray[np.float64]] = {}
        for name in self.names:
            if name in hits:
                parts = [100 * float(hits[name][rows].mean()) for rows in rest]
                values[name] = np.array([score(metric, predicted[name], y), *parts])
            else:
                of = self.score.named(name)
                values[name] = np.array([of(x, y), *(of(x[rows], y[rows]) for rows in rest)])
        return Judged(values, np.mean(list(hits.values()), axis=0), self.folds)


def hits_of(metric: str, scores: NDArray, y: NDArray) -> NDArray[np.float64]:
    """How well class scores N×C fit each image, as `Judged.hits` says."""
    if metric == "map":
        order = np.argsort(-scores, axis=1, kind="stable")
        found = np.take_along_axis(y, order, axis=1)
        precision = found.cumsum(axis=1) / np.arange(1, y.shape[1] + 1)
        return (precision * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    right = (scores.argmax(axis=1) == y).astype(np.float64)
    if metric == "top1":
        return right
    count = np.bincount(y, minlength=scores.shape[1])
    return right * len(y) / ((count > 0).sum() * count[y])
