"""Which network is trained at step t (paper, Algorithm 1 and Fig. 3), on which images, and with which learning rate."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from sdr.base.randomness import numpy_rng

W0 = -1  # the super-net, beside the sub-nets 0 … n − 1
Subsets = Literal["cluster", "random", "all"]  # what sub-nets are trained on


@dataclass(frozen=True)
class Schedule:
    """Data-aware progressive training by block.

    Phase 0 trains W_0 alone. Phase p adds the sub-nets that differ in the last p stages: numbers below groups^p.
    Within a phase each step draws one network of the space.

    Args:
        steps: optimizer steps in all.
        n_subnets, groups: as in `params.yaml`.
        first_phase: share of the steps in phase 0.
        phase_growth: length of each later phase over the one before it.
        w0_share: chance that a step after phase 0 trains W_0; the sub-nets of the space share the rest equally.
        progressive: False puts all sub-nets into the space after phase 0 (the naive way, for comparison).
        seed: of the draws.
    """

    steps: int
    n_subnets: int
    groups: int
    first_phase: float
    phase_growth: float
    w0_share: float
    progressive: bool
    seed: int

    @cached_property
    def spaces(self) -> list[int]:
        """Sub-nets in the space, a phase."""
        if self.n_subnets == 1:
            return [0]
        if not self.progressive:
            return [0, self.n_subnets]
        phases, size = [0], 1
        while size < self.n_subnets:
            size *= self.groups
            phases.append(min(size, self.n_subnets))
        return phases

    @cached_property
    def starts(self) -> list[int]:
        """First step of each phase."""
        later = [self.phase_growth**i for i in range(len(self.spaces) - 1)]
        shares = [self.first_phase, *((1 - self.first_phase) * w / sum(later) for w in later)] if later else [1.0]
        return [round(self.steps * sum(shares[:i])) for i in range(len(shares))]

    @property
    def w0_steps(self) -> float:
        """Expected share of the steps that train W_0."""
        return w0_steps(self.first_phase, self.w0_share) if self.n_subnets > 1 else 1.0

    def phase(self, step: int) -> int:
        """The phase of a step."""
        return max(i for i, start in enumerate(self.starts) if start <= step or i == 0)

    def network(self, step: int) -> int:
        """`W0`, or the number of the sub-net that step `step` trains."""
        space = self.spaces[self.phase(step)]
        rng = numpy_rng(self.seed, "network", step)
        if space == 0 or rng.random() < self.w0_share:
            return W0
        return int(rng.integers(space))


def cosine(step: int, steps: int, warmup: int) -> float:
    """Learning rate over its peak: linear over `warmup` steps, then half a cosine to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def w0_steps(first_phase: float, w0_share: float) -> float:
    """Expected share of the steps that train W_0, with more than one sub-net."""
    return first_phase + (1 - first_phase) * w0_share


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
