"""The best sub-nets of a task together: their features, each of unit length, side by side."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Ensemble(nn.Module):
    """Images `n×3×S×S` → features `n×(m·D)`; a cosine between two of them is the mean of the members' cosines.

    It costs m times what one sub-net costs, in memory and in multiply-adds.

    Args:
        members: m backbones in evaluation mode; they are copied, as sub-nets are checked out into one template.
    """

    def __init__(self, members: Iterable[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(copy.deepcopy(member) for member in members)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([normalize(member(x), dim=1) for member in self.members], dim=1)
