"""What a run computes, in multiply-adds of convolutions and linear layers, and how that grows with the sub-nets.

Counted from shapes alone, with no weights and no images, so a page can say what 256 sub-nets would cost where 16 were
trained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.heads import Heads
from sdr.nets.paths import N_STAGES
from sdr.ssl.method import Method, build
from sdr.ssl.simsiam import SimSiam
from sdr.train.settings import Sdr
from sdr.train.training import Source

_VIEWS = 2  # of an image, in training
_PAIR = 2  # images that are counted together: batch norms that train refuse a single one
_FORWARD_AND_BACKWARD = 3  # forward passes; the usual assumption: a backward pass costs two


@dataclass(frozen=True)
class Computing:
    """What the cost follows from.

    Attributes:
        method, heads, backbone: what was trained; the backbone with all its groups, even if there is one sub-net.
        view: side of a training view, pixels.
        shown: side at which a frozen network is shown an image, pixels.
        first_phase: share of the steps in which W_0 trains alone.
        w0_share: chance that a later step trains W_0.
        teacher: which network teaches the sub-nets.
        teacher_views: views of an image that it teaches a sub-net; 0 without distillation.
        train_teacher: W_0 is trained on a sub-net's images too, by the pass that teaches.
    """

    method: Method
    backbone: Backbone
    heads: Heads
    n_subnets: int
    view: int
    shown: int
    first_phase: float
    w0_share: float
    teacher: Source
    teacher_views: int
    train_teacher: bool

    @classmethod
    def of(cls, sdr: Sdr, **others: Any) -> "Computing":
        """With what the section `sdr` says."""
        return cls(
            first_phase=sdr.first_phase,
            w0_share=sdr.w0_share,
            train_teacher=sdr.train_teacher,
            teacher=sdr.teacher,
            teacher_views=sdr.distillation.views_taught,
            **others,
        )


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
        w0_steps: expected share of the steps that train W_0, with more than one sub-net.
    """

    n_subnets: int
    routing: list[Routing]
    baseline: int
    w0: int
    subnet: int
    w0_steps: float

    @property
    def mean(self) -> float:
        """Training on one image, expected over the steps of SDR with more than one sub-net."""
        return self.w0_steps * self.w0 + (1 - self.w0_steps) * self.subnet

    def training(self, n: int) -> float:
        """Training on one image with `n` sub-nets; one is the baseline itself, more cost all the same."""
        return self.baseline if n == 1 else self.mean


def cost_of(run: Computing) -> Cost:
    """Count."""
    spec = run.backbone
    parts = part_macs(spec, run.shown)
    numbers = sorted({spec.groups**stages for stages in range(N_STAGES + 1)} | {run.n_subnets})
    with torch.device("meta"):
        subnet, supernet = (build(run.method, spec, w, run.heads) for w in (spec.subnet_widths, spec.supernet_widths))
    baseline, w0 = training_macs(subnet, run.view), training_macs(supernet, run.view)
    teaches = supernet if run.teacher == "supernet" else subnet  # of the baseline's width
    teacher = w0 if run.train_teacher else run.teacher_views * macs(teaches.target, run.view)
    return Cost(
        n_subnets=run.n_subnets,
        routing=[Routing(n, n * sum(parts), tree_macs(parts, spec.groups, n)) for n in numbers],
        baseline=baseline,
        w0=w0,
        subnet=baseline + teacher,
        w0_steps=run.first_phase + (1 - run.first_phase) * run.w0_share,
    )


def baseline_macs(config: dict[str, Any], view: int) -> int:
    """Multiply-adds of training the baseline of this `config.json` on one image, whatever its width."""
    spec = Backbone(**config["backbone"])
    with torch.device("meta"):
        network = build(config["method"], spec, spec.supernet_widths, Heads(**config["heads"]))
    return training_macs(network, view)


def training_macs(network: SimSiam, size: int) -> int:
    """Multiply-adds of a step of training over its images, without a teacher; each image has two views."""
    forward = macs(network, size)
    learning = macs(nn.Sequential(network.backbone, network.projector, network.predictor), size)
    return _VIEWS * (_FORWARD_AND_BACKWARD * learning + forward - learning)  # the rest, BYOL's target say, only runs


def part_macs(spec: Backbone, size: int) -> list[int]:
    """Multiply-adds of one image through the stem and the four stages of a sub-net; all sub-nets cost the same."""
    with torch.device("meta"):
        backbone = resnet(spec, spec.subnet_widths)
    stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool)
    parts = [stem, *(getattr(backbone, f"layer{stage + 1}") for stage in range(N_STAGES))]
    ends = [macs(nn.Sequential(*parts[: depth + 1]), size) for depth in range(len(parts))]
    return [end - start for start, end in zip([0, *ends], ends)]


def tree_macs(parts: list[int], groups: int, n: int) -> int:
    """Multiply-adds of one image through the first `n` sub-nets, each common prefix of their paths once.

    Sub-net i takes the digits of i in base `groups`, so the first n have ⌈n / groups^(stages − l)⌉ prefixes of length l.
    """
    prefixes = [-(-n // groups ** (N_STAGES - length)) for length in range(N_STAGES + 1)]
    return sum(number * macs for number, macs in zip(prefixes, parts, strict=True))


@torch.inference_mode()
def macs(network: Callable[[Tensor], object], size: int) -> int:
    """Multiply-adds of one forward pass of one image, `1×3×size×size`."""
    x = torch.zeros(_PAIR, 3, size, size, device="meta")
    with FlopCounterMode(display=False) as counter:
        network(x)
    return counter.get_total_flops() // 2 // _PAIR
