"""The networks that routing chooses among: sub-nets, the baseline and W_0, with statistics of a cluster, of all images of the corpus,
or of the task's own.

The task's own statistics are of its training images, those of the fold that a choice is judged on among them: of their pixels, since
no label enters. What is promised for images to come holds if they are like these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from timm.models.resnet import ResNet
from torch import nn

from sdr.base.errors import UserError
from sdr.nets.calibrate import calibrate, set_statistics
from sdr.nets.paths import path_of
from sdr.route.trained import TrainedSdr

Kind = Literal["subnets", "subnets_all", "subnets_own", "baseline", "baseline_clusters", "baseline_own", "w0"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # sub-nets first


@dataclass(frozen=True, order=True)
class Choice:
    """One network and its statistics.

    Attributes:
        kind: `subnets`, with statistics as `calibrate.source` says; `subnets_all`, of all images; `subnets_own`, of the
            task's; `baseline`, of all images; `baseline_clusters`, of one cluster's; `baseline_own`, of the task's; `w0`, of all images.
        number: of the sub-net, or of the cluster of the statistics; −1 where there is none.
    """

    kind: Kind
    number: int = -1

    @property
    def network(self) -> Literal["subnet", "baseline", "w0"]:
        """Which network this is."""
        return "subnet" if self.kind.startswith("subnets") else "w0" if self.kind == "w0" else "baseline"

    @property
    def subnet(self) -> int | None:
        """The number of the sub-net, if it is one."""
        return self.number if self.network == "subnet" else None

    def facts(self, trained: TrainedSdr) -> dict:
        """For route.json: `name`, `network`, `subnet`, `path`, `statistics`."""
        own = self.kind == "baseline_clusters" or self.kind == "subnets" and trained.source == "cluster"
        statistics = f"cluster {self.number}" if own else "all images"
        if self.kind.endswith("_own"):
            statistics = "the task's images"
        path = "-".join(map(str, path_of(self.number, trained.spec.groups))) if self.subnet is not None else None
        name = {"subnet": f"sub-net {self.number} ({path})", "baseline": "baseline", "w0": "super-net W_0"}[
            self.network
        ]
        return {
            "name": f"{name}, statistics of {statistics}",
            "network": self.network,
            "subnet": self.subnet,
            "path": path,
            "statistics": statistics,
            "kind": self.kind,
            "number": self.number,
        }


def candidates(kinds: Sequence[Kind], numbers: Sequence[int], trained: TrainedSdr) -> list[Choice]:
    """All candidates of these kinds, sub-nets and clusters of these numbers; sub-nets first, then as they are named.

    Raises:
        UserError: W_0, where it was never trained; statistics that the calibration did not measure.
    """
    if "w0" in kinds and not trained.w0_trained:
        raise UserError(
            "route.candidates: w0: this super-net's W_0 was never trained (sdr.first_phase and sdr.w0_share are 0): take w0 "
            "from the list"
        )
    if trained.source != "cluster":  # then that is what `subnets` are
        kinds = [kind for kind in kinds if kind != "subnets_all" or "subnets" not in kinds]
    for kind, needed in (("subnets_all",) * 2, ("baseline_clusters",) * 2, ("baseline_own", "baseline")):
        if kind in kinds:
            trained.of(needed)  # or it tells that they are missing
    found: list[Choice] = []
    for kind in sorted(kinds, key=KINDS.index):
        found += (
            [Choice(kind)]
            if kind in ("baseline", "baseline_own", "w0")
            else [Choice(kind, number) for number in numbers]
        )
    return found


def backbone_of(choice: Choice, trained: TrainedSdr, baseline: nn.Module) -> ResNet | nn.Module:
    """The backbone of a candidate, ready to evaluate; valid until the next call, since statistics and sub-nets change places."""
    if choice.kind == "subnets":
        return trained.subnet(choice.number)
    if choice.kind == "subnets_all":
        return trained.subnet(choice.number, trained.of("subnets_all")[choice.number])
    if choice.kind == "w0":
        return trained.supernet()
    if choice.kind.endswith("_own"):
        if trained.of_task is None:
            raise ValueError("statistics of a task's own images, and no task to measure them on")
        backbone = trained.subnet(choice.number) if choice.kind == "subnets_own" else baseline
        calibrate(backbone, trained.of_task)
        return backbone
    if choice.kind == "baseline" and not trained.has("baseline"):
        return baseline  # as it is: nothing has measured others
    rows = trained.of("baseline") if choice.kind == "baseline" else trained.of("baseline_clusters")[choice.number]
    set_statistics(baseline, rows.to(next(baseline.parameters()).device))
    return baseline
