"""Pixels as networks take them: in [0, 1], less the mean and over the deviation of each channel."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# ImageNet's statistics, which timm and torchvision take as the default for inputs in [0, 1].
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def unit_interval(images: Tensor) -> Tensor:
    """`N×H×W×3` uint8 → `N×3×H×W` float32 in [0, 1], in channels_last layout: the images' own, which needs no copy."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def normalise(x: Tensor) -> Tensor:
    """Subtract the mean and divide by the deviation of each channel; `N×3×H×W` in [0, 1]."""
    return normalise_(x.clone())


def normalise_(x: Tensor, mean: tuple[float, float, float] = MEAN, std: tuple[float, float, float] = STD) -> Tensor:
    """As `normalise`, in place."""
    centre, spread = torch.tensor(mean, device=x.device), torch.tensor(std, device=x.device)
    return x.sub_(centre.view(1, 3, 1, 1)).div_(spread.view(1, 3, 1, 1))


class Pixels(nn.Module):
    """Raw RGB in [0, 1], averaged over boxes to `side` × `side` (at most; smaller images stay as they are).

    Images `N×3×S×S`, normalised by `MEAN` and `STD` → `N×(3·side²)`, channel by channel.
    """

    def __init__(self, side: int):
        super().__init__()
        self.side = side
        self.adapt = Adapt((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.adapt(x)
        return F.adaptive_avg_pool2d(x, min(self.side, x.shape[-1])).flatten(1)


class Adapt(nn.Module):
    """From ImageNet's normalisation to another one, `N×3×S×S` → `N×3×S×S`; and to the one size that a network takes.

    Args:
        mean, std: of each channel of images in [0, 1].
        size: height and width, or None to keep those of the images.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], size: tuple[int, int] | None):
        super().__init__()
        ours, theirs, self.size = torch.tensor([MEAN, STD]), torch.tensor([mean, std]), size
        scale = (ours[1] / theirs[1]).view(1, 3, 1, 1)
        shift = ((ours[0] - theirs[0]) / theirs[1]).view(1, 3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.scale + self.shift
        if self.size is not None and x.shape[-2:] != self.size:
            x = F.interpolate(x, self.size, mode="bicubic", antialias=True, align_corners=False)
        return x
