"""The random validation split of the many-shot protocol (Ericsson et al. 2021)."""

import numpy as np

from sdr.base.errors import UserError


def hold_out(n: int, fraction: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split the items 0 … n-1 as the protocol does: a shuffle, of which the first part is for validation.

    The shuffle is that of `np.random.seed(seed); np.random.shuffle(list(range(n)))`, without touching the
    global state. It is not stratified, so a rare class can be missing on either side; the callers cope.

    Args:
        n: number of items, at least 2.
        fraction: share of validation items, in (0, 1); floor(fraction · n) items, but at least 1.
        seed: the protocol uses 0.

    Returns:
        (train, validation): disjoint int64 indices in shuffled order, together all of 0 … n-1.

    Raises:
        UserError: fewer than 2 items.
    """
    if n < 2:
        raise UserError(f"a validation split needs at least 2 labelled images, got {n}; add images to the task")
    order = list(range(n))
    np.random.RandomState(seed).shuffle(order)
    held = max(1, int(np.floor(fraction * n)))
    return np.array(order[held:], dtype=np.int64), np.array(order[:held], dtype=np.int64)
