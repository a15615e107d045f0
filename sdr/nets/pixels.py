"""Pixels as networks take them: in [0, 1], less the mean and over the deviation of each channel."""

import torch
from torch import Tensor

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
