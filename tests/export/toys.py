"""Narrow backbones of both kinds, all of whose numbers matter, and what a reader gets of them."""

from pathlib import Path

import torch
from timm.models.resnet import ResNet

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.folder import save_resnet
from tests.compare.checkpoints import randomise

SIZE = 64
SPECS = {
    "basic": Backbone(
        block="basic",
        layers=[1, 2, 1, 1],
        shared=[4, 8, 12, 16],
        group=[4] * 4,
        groups=2,
        stem_type="deep",
        stem_width=8,
    ),
    "bottleneck": Backbone(
        block="bottleneck",
        layers=[1, 2, 1, 1],
        shared=[6, 4, 4, 4],
        group=[4] * 4,
        groups=2,
        stem_type="",
        stem_width=64,
    ),
}


def backbone(block: str) -> ResNet:
    """A sub-net in evaluation mode, whose batch norms are not those of a new network."""
    torch.manual_seed(0)
    return randomise(resnet(SPECS[block], SPECS[block].subnet_widths))


def exported(block: str, directory: Path) -> ResNet:
    """Write the backbone for timm into an existing directory, and return it."""
    network = backbone(block)
    save_resnet(directory, network, SPECS[block], SPECS[block].subnet_widths, SIZE)
    return network
