"""Multiply-adds of convolutions and linear layers, counted from shapes alone: no weights, no images.

So a page can say what 256 sub-nets would cost where 16 were trained.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.paths import N_STAGES

_PAIR = 2  # images that are counted together: batch norms that train refuse a single one


def part_macs(spec: Backbone, size: int) -> list[int]:
    """Multiply-adds of one image through the stem and the four stages of a sub-net; all sub-nets cost the same."""
    with torch.device("meta"):
        backbone = resnet(spec, spec.subnet_widths)
    stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool)
    parts = [stem, *(getattr(backbone, f"layer{stage + 1}") for stage in range(N_STAGES))]
    ends = [macs(nn.Sequential(*parts[: depth + 1]), size) for depth in range(len(parts))]
    return [end - start for start, end in zip([0, *ends], ends)]


@torch.inference_mode()
def macs(network: Callable[[Tensor], object], size: int) -> int:
    """Multiply-adds of one forward pass of one image, `1×3×size×size`."""
    x = torch.zeros(_PAIR, 3, size, size, device="meta")
    with FlopCounterMode(display=False) as counter:
        network(x)
    return counter.get_total_flops() // 2 // _PAIR
