"""The part of a ResNet that a detector keeps: the feature maps C2 … C5, and what becomes of its batch norms."""

import copy
from typing import Literal

import torch
from timm.models.resnet import ResNet
from torch import Tensor, nn

from sdr.base.errors import UserError

Norm = Literal["frozen", "sync"]

STRIDES = (4, 8, 16, 32)  # of C2 … C5


class Pyramid(nn.Module):
    """A ResNet's stem and stages under timm's names: images N×3×H×W → {"0": C2, …, "3": C5}.

    Attributes:
        widths: channels of C2 … C5.
    """

    def __init__(self, backbone: ResNet, norm: Norm):
        super().__init__()
        self.norm = norm
        self.widths = [info["num_chs"] for info in backbone.feature_info[1:]]
        for name in ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(backbone, name))
        self.requires_grad_(True)
        if norm == "frozen":
            for layer in batch_norms(self):
                layer.requires_grad_(False)
        self.train(backbone.training)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
        maps = {}
        for level, stage in enumerate((self.layer1, self.layer2, self.layer3, self.layer4)):
            maps[str(level)] = x = stage(x)
        return maps

    def train(self, mode: bool = True) -> "Pyramid":
        """As any module's, but frozen batch norms stay in evaluation mode.

        torchvision's FrozenBatchNorm2d does the same sums, but returns float32 under autocast.
        """
        super().train(mode)
        if self.norm == "frozen":
            for layer in batch_norms(self):
                layer.eval()
        return self


def pyramid(backbone: nn.Module, norm: Norm) -> Pyramid:
    """Return a copy of a timm ResNet's stem and stages. All is trained, but for the batch norms of `frozen`.

    Raises:
        UserError: another network, one of other strides, or batch norms to be frozen that were never measured.
    """
    if not isinstance(backbone, ResNet):
        raise UserError(f"a detector needs a ResNet of timm, got {type(backbone).__name__}")
    strides = tuple(info["reduction"] for info in backbone.feature_info[1:])
    if strides != STRIDES:
        raise UserError(f"a detector needs a ResNet of strides {STRIDES}, this one's are {strides}")
    layers = batch_norms(backbone)
    if norm == "frozen" and not any(layer.running_mean.any() for layer in layers):
        raise UserError(
            "the backbone's batch-norm statistics were never measured, so they cannot be frozen: "
            "calibrate them, or choose a detector with norm: sync"
        )
    return Pyramid(copy.deepcopy(backbone), norm)


def batch_norms(module: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """The batch-norm layers of a network, SyncBatchNorm included, in order."""
    return [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
