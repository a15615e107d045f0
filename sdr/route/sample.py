"""The order in which a search looks at training images: every beginning of it is as class-balanced as it can be."""

import numpy as np

from sdr.base.randomness import numpy_rng


def balanced_order(targets: np.ndarray, seed: int) -> np.ndarray:
    """Return a permutation of the images.

    Classes take turns, each with its images in random order, until they run out. An image of a multi-label task
    belongs to its rarest label; those without any are a class of their own.

    Args:
        targets: int64 N, or bool N×C.
        seed: of the draw.
    """
    if targets.ndim == 2:
        frequency = np.where(targets, targets.sum(axis=0), len(targets) + 1)  # N×C
        targets = np.where(targets.any(axis=1), frequency.argmin(axis=1), targets.shape[1])
    shuffled = numpy_rng(seed, "route", len(targets)).permutation(len(targets))
    grouped = shuffled[np.argsort(targets[shuffled], kind="stable")]
    starts = np.searchsorted(targets[grouped], targets[grouped])
    turn = np.arange(len(targets)) - starts  # how many of its class come before an image
    place = np.empty_like(turn)
    place[grouped] = turn
    return shuffled[np.argsort(place[shuffled], kind="stable")]
