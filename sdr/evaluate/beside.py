"""Networks side by side on the same labelled images: their scores, and paired differences to one of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sdr.evaluate.metrics import bootstrap, score

_RESAMPLES = 2000


@dataclass(frozen=True)
class Beside:
    """One network beside the choice.

    Attributes:
        name: the network's.
        score: its metric, percent.
        difference: the choice's score less this one's, points.
        interval: 95 % of it, over resamples of the images, the same ones for both.
    """

    name: str
    score: float
    difference: float
    interval: tuple[float, float]

    @property
    def word(self) -> str:
        """What follows for the choice."""
        low, high = self.interval
        return "the choice is better" if low > 0 else "this one is better" if high < 0 else "no evidence"


def beside(
    choice: np.ndarray, others: Mapping[str, np.ndarray], targets: np.ndarray, metric: str = "top1", seed: int = 0
) -> list[Beside]:
    """Compare class scores n×C of other networks with those of the choice, in the order given.

    Args:
        choice: class scores of the chosen network.
        others: name → class scores.
        targets: int64 n, or bool n×C for "map".
        seed: of the resampling.
    """
    own, resampled = score(metric, choice, targets), bootstrap(choice, targets, metric, seed, _RESAMPLES)
    found = []
    for name, scores in others.items():
        value = score(metric, scores, targets)
        gaps = resampled - bootstrap(scores, targets, metric, seed, _RESAMPLES)
        low, high = np.nanpercentile(gaps, [2.5, 97.5])
        found.append(Beside(name, value, own - value, (float(low), float(high))))
    return found
