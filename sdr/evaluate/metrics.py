"""The metrics of the many-shot protocol, in percent, from class scores, each with a bootstrap interval.

Ericsson et al. (2021), "How well do self-supervised models transfer?": top-1 accuracy, mean per-class
accuracy and, for VOC2007, 11-point mean average precision. Targets are int64 n (class numbers) or bool n×C
(multi-label; a "difficult" object of VOC counts as absent, as in that protocol). Every metric is computed
under integer weights of the items, so a bootstrap resample is a row of weights: B resamples cost one batched
call, and no score is sorted twice.
"""

from collections.abc import Callable

import numpy as np

from sdr.base.errors import UserError

MULTILABEL = {"top1": False, "mean_per_class": False, "map": True}
RESAMPLES = 1000
_CHUNK = 1 << 22  # entries of the weight matrix that one batched call may hold


def score(metric: str, scores: np.ndarray, targets: np.ndarray) -> float:
    """The metric of one prediction.

    Args:
        metric: "top1", "mean_per_class" or "map".
        scores: n×C, any real type; the largest wins, ties go to the lower class. -inf is allowed, NaN is not.
        targets: int64 n in [0, C), or bool n×C for "map".

    Returns:
        Percent in [0, 100].

    Raises:
        UserError: unknown metric, targets that do not suit it, or a multi-label task without any label.
    """
    by_class, overall = _evaluator(metric, scores, targets)
    weights = np.ones((1, len(scores)), dtype=np.int64)
    value = float(overall(weights, by_class(weights))[0])
    if np.isnan(value):
        raise UserError(f"no image of {len(scores)} has any label, so {metric!r} is undefined; check the task")
    return value


def per_class(metric: str, scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """C scores in percent: average precisions for "map", else recalls; NaN for classes without a target."""
    by_class, _ = _evaluator(metric, scores, targets)
    return by_class(np.ones((1, len(scores)), dtype=np.int64))[0]


def bootstrap_interval(
    scores: np.ndarray, targets: np.ndarray, metric: str, seed: int, n: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a metric over the items.

    Args:
        scores, targets, metric: as for `score`.
        seed: of the resampling.
        n: number of resamples.
        level: coverage in (0, 1).

    Returns:
        (low, high) in percent.
    """
    return interval(bootstrap(scores, targets, metric, seed, n), level)


def interval(resamples: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of resampled values, or of paired differences between those of two networks."""
    tail = 50 * (1 - level)
    # A resample of a multi-label test can hold no positive at all: its metric is undefined and left out.
    low, high = np.nanpercentile(resamples, [tail, 100 - tail])
    return float(low), float(high)


def bootstrap(scores: np.ndarray, targets: np.ndarray, metric: str, seed: int, n: int) -> np.ndarray:
    """A metric of `n` resamples of the items, in percent; NaN where it is undefined.

    Args:
        scores, targets, metric: as for `score`.
        seed: of the resampling; the resamples depend on it and on the number of items alone.
    """
    by_class, overall = _evaluator(metric, scores, targets)
    items = len(scores)
    random = np.random.default_rng(seed)
    values = [np.empty(0)]
    for done in range(0, n, chunk := max(1, _CHUNK // items)):
        weights = random.multinomial(items, np.full(items, 1 / items), size=min(chunk, n - done))
        values.append(overall(weights, by_class(weights)))
    return np.concatenate(values)


Weighted = Callable[[np.ndarray], np.ndarray]  # weights B×n -> per-class scores B×C
Overall = Callable[[np.ndarray, np.ndarray], np.ndarray]  # weights B×n, per-class scores B×C -> metric B


def _evaluator(metric: str, scores: np.ndarray, targets: np.ndarray) -> tuple[Weighted, Overall]:
    if metric not in MULTILABEL:
        raise UserError(f"metric {metric!r} is unknown; choose one of {', '.join(MULTILABEL)}")
    scores, targets = np.asarray(scores), np.asarray(targets)
    expected = scores.shape if MULTILABEL[metric] else scores.shape[:1]
    if len(scores) == 0 or targets.shape != expected or (targets.dtype == bool) != MULTILABEL[metric]:
        raise UserError(
            f"metric {metric!r} wants {'bool n×C' if MULTILABEL[metric] else 'integer n'} targets and at "
            f"least one item, got {targets.dtype} {targets.shape} for scores {scores.shape}; check the task"
        )
    if np.isnan(scores).any():
        raise UserError("the class scores hold NaN; look for a collapsed or diverged network")
    if metric == "map":
        return _average_precisions(scores, targets), lambda weights, each: _mean_defined(each)
    correct = (scores.argmax(axis=1) == targets).astype(np.float64)
    member = np.eye(scores.shape[1])[targets]  # n×C

    def recalls(weights: np.ndarray) -> np.ndarray:
        total = weights @ member
        return 100 * (weights @ (member * correct[:, None])) / np.where(total > 0, total, np.nan)

    if metric == "top1":
        return recalls, lambda weights, each: 100 * (weights @ correct) / weights.sum(axis=1)
    return recalls, lambda weights, each: _mean_defined(each)


def _mean_defined(each: np.ndarray) -> np.ndarray:
    """B×C -> B: the mean over the classes that occur; NaN where none does."""
    defined = ~np.isnan(each)
    count = defined.sum(axis=1)
    return np.where(defined, each, 0).sum(axis=1) / np.where(count > 0, count, np.nan)


def _average_precisions(scores: np.ndarray, targets: np.ndarray) -> Weighted:
    """VOC2007's average precision: the mean, over recalls 0, 0.1 … 1, of the best precision from there on.

    At recall 0 the precision is 1, that of an empty answer: so it is in the protocol, whose curve is
        scikit-learn's.
    """
    ranked = []
    for c in range(scores.shape[1]):
        order = np.argsort(-scores[:, c], kind="stable")
        value = scores[order, c]
        last = np.append(value[1:] != value[:-1], True)  # equal scores share one threshold
        ranked.append((order, targets[order, c].astype(np.int64), np.flatnonzero(last)))

    def average_precisions(weights: np.ndarray) -> np.ndarray:
        return np.stack([_average_precision(weights[:, order], y, last) for order, y, last in ranked], axis=1)

    return average_precisions


def _average_precision(weights: np.ndarray, y: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Weights B×n in ranking order, y n in {0, 1}, last: positions where a threshold ends -> percent B."""
    hits = np.cumsum(weights * y, axis=1)[:, last]
    seen = np.cumsum(weights, axis=1)[:, last]
    precision = hits / np.maximum(seen, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # at this recall or any higher one
    total = hits[:, -1:]
    points = [np.ones(len(weights))] + [
        # In whole numbers, since recall ≥ t is an exact question; total itself is always reached.
        np.take_along_axis(best, np.argmax(10 * hits >= tenth * total, axis=1)[:, None], axis=1)[:, 0]
        for tenth in range(1, 11)
    ]
    return np.where(total[:, 0] > 0, 100 * np.mean(points, axis=0), np.nan)
