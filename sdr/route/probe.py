"""A linear probe of frozen features, each image judged by a classifier that has not seen it."""

import numpy as np
from numpy.typing import NDArray

from sdr.base.errors import UserError

_PENALTIES = np.logspace(-4, 4, 17)  # of standardised features, times the number of images


def probe(x: NDArray, y: NDArray, n_classes: int) -> NDArray[np.float64]:
    """Class scores `N×C` of each image by ridge regression on all the others, exactly: no N fits, but the leave-one-out identity
    y_i − ŷ_(−i) = (y_i − ŷ_i) / (1 − H_ii) with the hat matrix H (Allen's PRESS; Hastie et al., Elements of Statistical
    Learning, section 7.10). Of the penalties the one of the least squared leave-one-out error is taken, one for all classes.

    Args:
        x: features N×D; each is standardised first. There is an intercept, without penalty.
        y: int64 N in [0, C), or bool N×C.
        n_classes: C.

    Raises:
        UserError: features that are not finite, or fewer than three images.
    """
    n = len(x)
    if n < 3:
        raise UserError(f"a linear probe needs 3 labelled images at least, got {n}; add images to the task")
    x = np.asarray(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise UserError("the features hold NaN or infinity; look for a collapsed or diverged network")
    target = np.eye(n_classes)[y] if y.ndim == 1 else y.astype(np.float64)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)
    centre = target.mean(axis=0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    along, own = u.T @ (target - centre), u**2  # k×C, N×k
    best, least = target, np.inf
    for penalty in _PENALTIES * n:
        kept = s**2 / (s**2 + penalty)
        fitted = centre + u @ (kept[:, None] * along)
        free = 1 - 1 / n - own @ kept  # 1 − H_ii; the intercept takes 1/n
        left_out = target - (target - fitted) / np.maximum(free, 1e-9)[:, None]
        error = float(((target - left_out) ** 2).sum())
        if error < least:
            best, least = left_out, error
    return best
