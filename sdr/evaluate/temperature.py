"""Calibrated probabilities: one temperature for all classes (Guo et al. 2017, "On Calibration of Modern Neural Networks").

The temperature T > 0 of softmax(logits / T) is the one with the lowest log loss on images that the classifier was not
fitted on. It changes no decision. The loss is convex in 1/T, so its minimum is found by halving an interval.
"""

import numpy as np

_COLDEST, _HOTTEST = 1e-2, 1e2  # temperatures
_HALVINGS = 60  # of the interval of log 1/T: to the last bits of float64


def temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature with the lowest log loss.

    Where (nearly) all of the n images are right the loss falls for ever as T does, but n images cannot vouch for any
    confidence: the mean one stays at or below (n+1)/(n+2), Laplace's rule of succession.

    Args:
        logits: n×C, finite.
        targets: int64 n in [0, C).

    Returns:
        T in [0.01, 100].
    """
    logits = np.asarray(logits, dtype=np.float64)
    n = len(logits)
    own = logits[np.arange(n), targets]

    def too_cold(scale: float) -> bool:
        p = softmax(logits * scale)
        # The derivative of the log loss in 1/T is what the classifier expects of the logit less what it is.
        return ((p * logits).sum(axis=1) - own).sum() > 0 or p.max(axis=1).mean() > (n + 1) / (n + 2)

    low, high = -np.log(_HOTTEST), -np.log(_COLDEST)  # of log 1/T
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if too_cold(np.exp(middle)) else (middle, high)
    return float(np.exp(-low))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities n×C float64."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean negative log likelihood in nats; infinite if a class that scores -inf occurs."""
    logits = np.asarray(logits, dtype=np.float64)
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((total - logits[np.arange(len(logits)), targets]).mean())


def calibration_error(probabilities: np.ndarray, targets: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error in percent: |accuracy - confidence| in bins of equal width, weighted by their images."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((right[number == i] - confidence[number == i]).sum()) for i in range(bins)]
    return float(100 * sum(gaps) / len(targets))
