"""What routing chose for a task, and the best sub-nets together: their features, each of unit length, side by side."""

import copy
import json
from collections.abc import Iterable
from pathlib import Path

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


def member_folder(place: int) -> str:
    """Name of the folder, in a route's, of the network that came in at this place, from 0."""
    return "backbone" if place == 0 else f"backbone-{place + 1}"


def member_folders(route: Path) -> list[Path]:
    """The networks in a route's folder, the chosen one first; others, from `top_m: 2` on, are the next best."""
    best = json.loads((route / "route.json").read_text())["best"]
    return [route / member_folder(place) for place in range(len(best))]
