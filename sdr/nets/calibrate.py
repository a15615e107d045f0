"""Batch-norm statistics of each network after training (paper, section 5.1, following Cai et al. 2019).

In training every network normalises by its batch; nothing is kept. Afterwards each network sees one fixed sample,
whole, in one forward pass: its statistics are the sample's true mean and variance, layer after layer, and no batch
size enters.
"""

from typing import Literal

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from sdr.base.params import Section
from sdr.base.randomness import numpy_rng

_BatchNorm = nn.modules.batchnorm._BatchNorm


class Calibration(Section):
    """Which images the statistics come from."""

    source: Literal["cluster", "common"]
    """The sub-net's own cluster (the paper), or one sample of the corpus for all."""
    images: PositiveInt
    """At most so many."""


def sample(subset: np.ndarray, images: int, seed: int) -> np.ndarray:
    """Draw the `images` that statistics are measured on from the indices `subset`, sorted; all of them if there are few."""
    if len(subset) <= images:
        return np.sort(subset)
    return np.sort(numpy_rng(seed, "calibrate", len(subset)).choice(subset, images, replace=False))


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch-norm layers of a network, in order."""
    return [m for m in network.modules() if isinstance(m, _BatchNorm)]


def running(layer: _BatchNorm) -> tuple[Tensor, Tensor]:
    """A layer's running mean and variance, C float32 each."""
    assert layer.running_mean is not None and layer.running_var is not None, "a norm that keeps no statistics"
    return layer.running_mean, layer.running_var


@torch.no_grad()
def calibrate(network: nn.Module, x: Tensor) -> Tensor:
    """Set the running statistics to those of `x` (`N×3×H×W`, the evaluation view); leave the network in eval mode.

    Each layer takes the mean and the (biased) variance of its own input just before it normalises by them.

    Returns:
        What the network then gives for `x`.
    """

    def measure(layer: _BatchNorm, inputs: tuple[Tensor]) -> None:
        mean, variance = running(layer)
        axes = [axis for axis in range(inputs[0].ndim) if axis != 1]  # of images; of features the first alone
        mean.copy_(inputs[0].mean(axes))
        variance.copy_(inputs[0].var(axes, correction=0))

    hooks = [layer.register_forward_pre_hook(measure) for layer in batch_norms(network)]
    try:
        return network.eval()(x)
    finally:
        for hook in hooks:
            hook.remove()


def statistics(backbone: nn.Module) -> Tensor:
    """All running means and variances in one vector, `2·C` float32."""
    return torch.cat([t for layer in batch_norms(backbone) for t in running(layer)])


@torch.no_grad()
def set_statistics(backbone: nn.Module, vector: Tensor) -> None:
    """Put back what `statistics` gave."""
    targets = [t for layer in batch_norms(backbone) for t in running(layer)]
    for target, source in zip(targets, vector.split([len(t) for t in targets]), strict=True):
        target.copy_(source)
