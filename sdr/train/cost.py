"""What a training computes for one image, in multiply-adds of convolutions and linear layers, counted from shapes alone."""

from dataclasses import dataclass

import torch
from torch import nn

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.nets.macs import macs
from sdr.ssl.method import Method, build
from sdr.ssl.simsiam import SimSiam
from sdr.train.schedule import w0_steps
from sdr.train.settings import Sdr

_VIEWS = 2  # of an image, in training
_FORWARD_AND_BACKWARD = 3  # forward passes; the usual assumption: a backward pass costs two


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of training on one image.

    Attributes:
        baseline: a network of a sub-net's width.
        w0: the super-net.
        subnet: a sub-net with its teacher.
        w0_share: expected share of the steps that train W_0, with more than one sub-net.
    """

    baseline: int
    w0: int
    subnet: int
    w0_share: float


def cost_of(method: Method, spec: Backbone, heads: Heads, sdr: Sdr, side: int) -> Cost:
    """Count.

    Args:
        method, spec, heads, sdr: the parameters; the backbone with all its groups, even if there is one sub-net.
        side: of a training view, pixels.
    """
    baseline, w0 = (
        training_macs(network_of(method, spec, w, heads), side) for w in (spec.subnet_widths, spec.supernet_widths)
    )
    widths = spec.supernet_widths if sdr.teacher == "supernet" else spec.subnet_widths  # those are the baseline's
    target = macs(network_of(method, spec, widths, heads).target, side)
    teacher = w0 if sdr.train_teacher else sdr.distillation.views_taught * target
    share = w0_steps(sdr.first_phase, sdr.w0_share)
    return Cost(baseline=baseline, w0=w0, subnet=baseline + teacher, w0_share=share)


def network_of(method: Method, spec: Backbone, widths: tuple[int, ...], heads: Heads) -> SimSiam:
    """The network that is trained, shapes alone."""
    with torch.device("meta"):
        return build(method, spec, widths, heads)


def training_macs(network: SimSiam, side: int) -> int:
    """Multiply-adds of a step of training over its images, without a teacher; each image has two views.

    Args:
        network: from `network_of`.
        side: of a view, pixels.
    """
    forward = macs(network, side)
    learning = macs(nn.Sequential(network.backbone, network.projector, network.predictor), side)
    return _VIEWS * (_FORWARD_AND_BACKWARD * learning + forward - learning)  # the rest, BYOL's target say, only runs
