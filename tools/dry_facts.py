"""What a profile's trainings are, from parameters and shapes alone: steps, rates, parameters, floating-point operations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from sdr.nets.backbone import resnet
from sdr.nets.macs import macs
from sdr.ssl.folder import count
from sdr.ssl.method import build
from sdr.ssl.simsiam import SimSiam
from sdr.train.jobs import Common, baseline, sdr

IMAGENET = 1_281_167  # training images
_PAIR = 2  # images that are counted together: batch norms that train refuse a single one


@dataclass(frozen=True)
class Run:
    """One training at its whole length."""

    steps: int
    batch: int
    peak: float  # learning rate, by the linear rule
    w0_share: float  # expected share of the steps that train W_0

    @property
    def images(self) -> int:
        """Images that its steps take."""
        return self.steps * self.batch


@dataclass(frozen=True)
class Facts:
    """Of a profile on a corpus of so many images.

    Attributes:
        baseline, sdr: the two trainings.
        phases: first steps of SDR's phases.
        parameters, macs: of the backbones "super-net" and "sub-net"; multiply-adds of one view.
        flops: of training on one image, both views, forward and backward: "baseline", "W_0", "sub-net" with its teacher.
    """

    baseline: Run
    sdr: Run
    phases: list[int]
    parameters: dict[str, int]
    macs: dict[str, int]
    flops: dict[str, int]

    def mean_of_sdr(self, of: dict[str, float]) -> float:
        """Mean over SDR's steps of what steps of W_0 and of sub-nets cost."""
        return self.sdr.w0_share * of["W_0"] + (1 - self.sdr.w0_share) * of["sub-net"]


def count_facts(params: dict[str, Any], images: int) -> Facts:
    """Count; `params` are validated sections by name."""
    shared, spec, view = Common.of(params), params["backbone"], params["views"].side
    base = baseline(params["pretrain"], shared, images, images)
    clusters = np.arange(images) % params["n_subnets"]  # which image is in which has no influence
    whole = sdr(params["sdr"], shared, clusters, params["n_subnets"])
    widths = {"super-net": spec.supernet_widths, "sub-net": spec.subnet_widths}
    with torch.device("meta"):
        backbones = {name: resnet(spec, planes) for name, planes in widths.items()}
        supernet, subnet = (
            build(shared.method, spec, planes, shared.heads, shared.simclr) for planes in widths.values()
        )
    flops = {"baseline": training_flops(subnet, view), "W_0": training_flops(supernet, view)}
    how = whole.distillation
    teaches = supernet if whole.teacher == "supernet" else subnet  # of the baseline's width
    taught = how.views_taught * 2 * macs(teaches.target, view)
    flops["sub-net"] = flops["baseline"] + (flops["W_0"] if how.train_teacher else taught)
    return Facts(
        baseline=Run(base.schedule.steps, base.optimization.batch_size, base.optimization.peak, 0.0),
        sdr=Run(whole.schedule.steps, whole.optimization.batch_size, whole.optimization.peak, whole.schedule.w0_steps),
        phases=whole.schedule.starts,
        parameters={name: count(backbone) for name, backbone in backbones.items()},
        macs={name: macs(backbone, view) for name, backbone in backbones.items()},
        flops=flops,
    )


def training_flops(network: SimSiam, size: int) -> int:
    """Floating-point operations of convolutions and matrix products, counted over a forward and a backward pass of both views
    of one image; a multiply-add is two."""
    x = torch.zeros(_PAIR, 3, size, size, device="meta")
    with FlopCounterMode(display=False) as counter:
        (_, p1, t1), (_, p2, t2) = network(x), network(x)
        network.loss(p1, p2, t1, t2).backward()
    return counter.get_total_flops() // _PAIR
