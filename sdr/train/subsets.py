"""Which images each sub-net is trained on (paper, section 4.2; the alternatives are those of Table 3)."""

from typing import Literal

import numpy as np

from sdr.base.randomness import numpy_rng

Subsets = Literal["cluster", "random", "all"]


def subsets(assignment: np.ndarray, n_subnets: int, kind: Subsets, seed: int) -> list[np.ndarray]:
    """Return the sorted image indices (int64) of D_1 … D_k.

    Args:
        assignment: cluster of each image, `N` int64 in [0, n_subnets).
        kind: `cluster`, the paper's; `random`, a random split into subsets of the clusters' sizes; `all`, every
            sub-net gets D_0.
        seed: of the random split.
    """
    if kind == "all":
        return [np.arange(len(assignment))] * n_subnets
    if kind == "random":
        assignment = numpy_rng(seed, "random subsets").permutation(assignment)
    return [np.flatnonzero(assignment == i) for i in range(n_subnets)]
