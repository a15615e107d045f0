"""Which of the judged candidates is taken, and what that promises on images it was not chosen on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtri, stdtrit

from sdr.base.params import Section
from sdr.route.judge import Judged
from sdr.route.score import ScoreName

_Z = float(ndtri(0.975))  # of a 95 % interval

TAKE_IT, NO_EVIDENCE, SUPERNET = "take it", "no evidence: take the baseline", "try the super-net"


class Selection(Section):
    """How one candidate is taken."""

    also: list[ScoreName]
    """Scores that count as much as `route.score`."""
    combine: Literal["mean", "rank", "zscore"]
    """Several scores: mean of the values as they are (of accuracies, say), of the candidates' ranks, or of standardised values."""
    prior: float = Field(ge=0, le=100)
    """Weight of the share of the task's images in a sub-net's cluster, standardised, beside the scores; 0: none."""
    rule: Literal["best", "margin", "posterior"]
    """best: the candidate of the highest score | margin: only if it leads the baseline by `margin` standard errors | posterior:
    only if its lead stays above 0 when shrunk towards the mean of all candidates' (empirical Bayes)."""
    margin: float = Field(ge=0, le=100)
    """Standard errors of the paired difference of single images."""
    folds: int = Field(ge=2, le=100)
    """Parts of the training images for the gain: each is judged by the choice that the others make."""


@dataclass(frozen=True)
class Gain:
    """Of a choice over the baseline in points: mean over images, and its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, difference: NDArray[np.float64], folds: NDArray[np.int64] | None = None) -> "Gain":
        """From paired differences of single images, as shares.

        Args:
            folds: of each image, where each fold was judged by another choice. These choices depend on each other, so that the
                images' own interval is too narrow: the wider of it and of Student's over the folds' means is taken. In trials of
                16 candidates as good as the baseline it held 0 in 93 to 95 % of the tasks, the images' own in 88 to 91 %.
        """
        mean, reach = float(difference.mean()), _Z * standard_error(difference)
        if folds is not None:
            means = np.array([difference[folds == fold].mean() for fold in range(int(folds.max()) + 1)])
            reach = max(reach, float(stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / np.sqrt(len(means))))
        return cls(100 * mean, 100 * (mean - reach), 100 * (mean + reach))


def standard_error(difference: NDArray[np.float64]) -> float:
    """Of the mean of `N` values; at least that of a single image that differs, or a few equal images would be certain."""
    n = len(difference)
    return max(float(difference.std(ddof=1)) if n > 1 else np.inf, 1 / np.sqrt(n)) / np.sqrt(n)


def choose(
    judged: list[Judged], baseline: Judged, shares: NDArray, params: Selection, fold: int | None = None
) -> int | None:
    """Return the index of the candidate to take, or None for the baseline.

    Args:
        judged: the candidates; the baseline may be one.
        baseline: judged on the same images.
        shares: of the task's images in the cluster of each candidate, float64 k.
        params: how.
        fold: choose without these images; None: with all.
    """
    at = 0 if fold is None else fold + 1
    names = list(judged[0].values)
    scores = np.array([[candidate.values[name][at] for candidate in judged] for name in names])  # scores × candidates
    if len(names) == 1 and params.prior == 0:
        total = scores[0]
    elif params.combine == "rank":
        from scipy.stats import rankdata  # which takes longer to import than most choices to make

        total = rankdata(scores, axis=1).mean(axis=0) / len(judged) + params.prior * rankdata(shares) / len(judged)
    elif params.combine == "zscore":
        total = _standard(scores).mean(axis=0) + params.prior * _standard(shares[None])[0]
    else:
        total = scores.mean(axis=0) + params.prior * _standard(shares[None])[0]
    best = int(total.argmax())
    if params.rule == "best":
        return best
    rows = _rows(baseline, fold)
    leads = [candidate.hits[rows] - baseline.hits[rows] for candidate in judged]
    lead = np.array([difference.mean() for difference in leads])
    error = np.array([standard_error(difference) for difference in leads])
    if params.rule == "margin":
        return best if lead[best] > params.margin * error[best] else None
    spread = max(0.0, float(lead.var() - (error**2).mean()))  # between candidates, beyond the noise of each
    shrunk = lead.mean() + spread / (spread + error[best] ** 2) * (lead[best] - lead.mean())
    return best if shrunk > 0 else None


def cross_fitted(judged: list[Judged], baseline: Judged, shares: NDArray, params: Selection) -> Gain | None:
    """What the choice gains on images that it was not made on: each fold by the choice that the others make. None where there
    are too few images for folds.

    The neighbours that classify an image may be of any fold, as for every candidate alike.
    """
    folds = baseline.folds
    if folds.max(initial=-1) < 1:
        return None
    difference = np.zeros(len(baseline.hits))
    for fold in range(int(folds.max()) + 1):
        choice, rows = choose(judged, baseline, shares, params, fold), folds == fold
        if choice is not None:
            difference[rows] = judged[choice].hits[rows] - baseline.hits[rows]
    return Gain.of(difference, folds)


def verdict(gain: Gain | None, supernet: Gain | None) -> str:
    """In words: the choice, if its gain is above 0 for certain; else W_0, if its is; else the baseline."""
    if gain is not None and gain.low > 0:
        return TAKE_IT
    return SUPERNET if supernet is not None and supernet.low > 0 else NO_EVIDENCE


def _rows(baseline: Judged, fold: int | None) -> NDArray[np.bool_]:
    return np.ones(len(baseline.hits), dtype=bool) if fold is None else baseline.folds != fold


def _standard(values: NDArray) -> NDArray:
    """Rows with mean 0 and standard deviation 1; of equal values 0."""
    spread = values.std(axis=1, keepdims=True)
    return (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
