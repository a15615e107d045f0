"""Batch norms in training: over the batches of all processes, and without running statistics."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdr.base.ranks import world
from sdr.base.sums import total

_BatchNorm = nn.modules.batchnorm._BatchNorm


class SyncBatchNorm(_BatchNorm):
    """torch's own SyncBatchNorm is for GPUs only; this one is for CPUs. Normalises `N×C` or `N×C×H×W` by the statistics of all
    processes' batches, which are of one size. It keeps no running statistics: calibration sets them after training.
    """

    def _check_input_dim(self, _: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        axes, shape = [i for i in range(x.ndim) if i != 1], [1, -1] + [1] * (x.ndim - 2)
        mean = total(x.mean(axes)) / world()
        centred = x - mean.view(shape)
        variance = total(centred.square().mean(axes)) / world()
        y = centred * (variance + self.eps).rsqrt().view(shape)
        return y if self.weight is None else y * self.weight.view(shape) + self.bias.view(shape)


def synchronised(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` with all its batch norms synchronised, sharing its parameters and buffers."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SyncBatchNorm):
                norm = SyncBatchNorm(child.num_features, child.eps, child.momentum, child.affine)
                norm._parameters, norm._buffers, norm.training = child._parameters, child._buffers, child.training
                setattr(parent, name, norm)
    return network


@contextmanager
def batch_statistics(*networks: nn.Module) -> Iterator[None]:
    """Within the block batch norms normalise by the batch and keep nothing; calibration sets what evaluation uses."""
    layers = [m for network in networks for m in network.modules() if isinstance(m, _BatchNorm)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
