"""Frozen features: the evaluation transform, and a backbone over many images."""

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from sdr.base.params import Section
from sdr.base.ranks import gather, own_rows
from sdr.nets.pixels import normalise


class Embedding(Section):
    """How images are shown to a frozen backbone."""

    side: PositiveInt = Field(ge=8)
    """Of an image, pixels."""
    batch_size: PositiveInt


def evaluation_view(images: np.ndarray, size: int, device: torch.device) -> Tensor:
    """Resize squares `N×S×S×3` uint8 to `size` (bicubic, antialiased) and normalise: `N×3×size×size` float32."""
    x = torch.from_numpy(np.array(images)).to(device).permute(0, 3, 1, 2).to(torch.float32)
    if x.shape[-1] != size:
        x = F.interpolate(x, (size, size), mode="bicubic", antialias=True, align_corners=False)
        x = x.round().clamp(0, 255)  # as for an image of bytes
    return normalise(x / 255)


@torch.inference_mode()
def features(backbone: nn.Module, images: np.ndarray, params: Embedding, device: torch.device) -> np.ndarray:
    """Pooled features of images `N×S×S×3` uint8 by a backbone in evaluation mode: `N×D` float32."""
    if len(images) == 0:  # a process with no share of a few images
        return backbone(torch.zeros(1, 3, params.side, params.side, device=device))[:0].float().cpu().numpy()
    parts = [
        backbone(evaluation_view(images[i : i + params.batch_size], params.side, device)).float().cpu().numpy()
        for i in range(0, len(images), params.batch_size)
    ]
    return np.concatenate(parts)


def embed(backbone: nn.Module, images: np.ndarray, params: Embedding, device: torch.device) -> np.ndarray:
    """The same, shared out among all processes; each gets all features."""
    return gather(features(backbone, images[own_rows(len(images))], params, device), len(images))
