"""Which path each cluster gets. The paper maps "each D_i to a path in advance" (section 4.2) and does not say how.

Sub-nets whose paths share a prefix share those stages' groups, so whoever gets a common prefix trains common weights.
`tree` gives it to similar clusters: the tree of paths is filled from the root by splits of the clusters into blocks of
exactly as many as there are paths below each branch, so that the blocks hold together: balanced spherical k-means, whose
assignment is solved exactly (cf. Bradley, Bennett and Demiriz 2000). An idea beyond the paper.
"""

from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from sdr.base.randomness import numpy_rng
from sdr.nets.paths import N_STAGES

Mapping = Literal["index", "tree"]
_STARTS, _ROUNDS = 8, 50


def path_order(centroids: np.ndarray, groups: int, how: Mapping, seed: int) -> np.ndarray:
    """Return which cluster takes the path of each sub-net, a permutation `k` int64.

    Args:
        centroids: of the clusters, `k×D`, unit length.
        groups: branches of the tree of paths at each stage; sub-net i takes the digits of i (`sdr.nets.paths`).
        how: `index`, cluster i gets path i; `tree`, similar clusters get a common prefix.
        seed: of the first blocks.
    """
    order = np.arange(len(centroids))
    return order if how == "index" else _fill(centroids, order, groups, N_STAGES, numpy_rng(seed, "mapping"))


def relabel(assignment: np.ndarray, centroids: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the clusters anew, `order[i]` becomes i: assignment `N`, centroids `k×D`."""
    return np.argsort(order)[assignment], centroids[order]


def _fill(
    centroids: np.ndarray, members: np.ndarray, groups: int, stages: int, random: np.random.Generator
) -> np.ndarray:
    """Order some clusters along the leaves below one node, `stages` stages above them."""
    below = groups ** (stages - 1)  # leaves of a branch
    sizes = [min(below, len(members) - start) for start in range(0, len(members), below)]
    if below == 1 or len(members) < 2:
        return members
    blocks = _split(centroids[members], sizes, random) if len(sizes) > 1 else [np.arange(len(members))]
    return np.concatenate([_fill(centroids, members[block], groups, stages - 1, random) for block in blocks])


def _split(points: np.ndarray, sizes: list[int], random: np.random.Generator) -> list[np.ndarray]:
    """Split points `m×D` into blocks of given sizes, with as large a sum of cosines to the blocks' means as was found."""
    block_of_place = np.repeat(np.arange(len(sizes)), sizes)  # m
    best, best_sum = None, -np.inf
    for _ in range(_STARTS):
        means = points[random.choice(len(points), len(sizes), replace=False)]
        blocks = None
        for _ in range(_ROUNDS):
            cosines = points @ means.T  # m×blocks
            rows, places = linear_sum_assignment(cosines[:, block_of_place], maximize=True)
            found = block_of_place[places]
            if blocks is not None and (found == blocks).all():
                break
            blocks = found
            sums = np.stack([points[blocks == i].sum(0) for i in range(len(sizes))])
            means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        total = float(np.linalg.norm(sums, axis=1).sum())  # Σ cos(point, its block's mean)
        if total > best_sum + 1e-9:
            best, best_sum = blocks, total
    return [np.flatnonzero(best == i) for i in range(len(sizes))]
