"""What a run computed, in multiply-adds, as its trainings and its calibration wrote it down."""

from dataclasses import dataclass
from typing import Any

from sdr.nets.paths import N_STAGES, tree_macs


@dataclass(frozen=True)
class Routing:
    """Multiply-adds to embed one task image with `n` sub-nets, one by one and what their paths share once."""

    n: int
    exhaustive: int
    tree: int


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of a run.

    Attributes:
        n_subnets: of this run.
        routing: for each number of sub-nets, ascending, this run's among them.
        baseline, w0, subnet: training on one image: the baseline, the super-net, a sub-net with its teacher.
        w0_share: expected share of the steps that train W_0, with more than one sub-net.
    """

    n_subnets: int
    routing: list[Routing]
    baseline: int
    w0: int
    subnet: int
    w0_share: float

    @classmethod
    def read(cls, sdrnet: dict[str, Any], calibration: dict[str, Any], n_subnets: int) -> "Cost":
        """From `artifacts/sdrnet/config.json` and `artifacts/calibration/meta.json`."""
        groups, parts = sdrnet["groups"], calibration["macs"]
        numbers = sorted({groups**stages for stages in range(N_STAGES + 1)} | {n_subnets})
        routing = [Routing(n, n * sum(parts), tree_macs(parts, groups, n)) for n in numbers]
        return cls(n_subnets=n_subnets, routing=routing, **sdrnet["macs"])

    @property
    def mean(self) -> float:
        """Training on one image, expected over the steps of SDR with more than one sub-net."""
        return self.w0_share * self.w0 + (1 - self.w0_share) * self.subnet

    def training(self, n: int) -> float:
        """Training on one image with `n` sub-nets; one is the baseline itself, more cost all the same."""
        return self.baseline if n == 1 else self.mean
