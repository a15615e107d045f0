"""BYOL (Grill et al., NeurIPS 2020, section 3): the prediction matches a target network that follows slowly."""

import copy
import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sdr.base.params import Section
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.simsiam import SimSiam, negative_cosine


class Byol(SimSiam):
    """Online network (encoder f_θ and predictor) and target encoder f_ξ, a copy that gets no gradient."""

    method: ClassVar[str] = "byol"
    fixed_predictor_lr: ClassVar[bool] = False

    def __init__(self, spec: Backbone, widths: tuple[int, ...], heads: Heads):
        super().__init__(spec, widths, heads)
        followed = nn.ModuleDict({"backbone": self.backbone, "projector": self.projector})
        self.followers = copy.deepcopy(followed).requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A view `N×3×H×W` → projection z = f_θ(x), prediction p = h(z), target f_ξ(x); all `N×P`."""
        z = self.projector(self.backbone(x))
        with torch.no_grad():
            t = self.target(x)
        return z, self.predictor(z), t

    def target(self, x: Tensor) -> Tensor:
        """f_ξ(x) of a view `N×3×H×W`: `N×P`. Call it without gradient."""
        return self.followers["projector"](self.followers["backbone"](x))

    @staticmethod
    def loss(p1: Tensor, p2: Tensor, t1: Tensor, t2: Tensor) -> Tensor:
        """Squared distances of unit vectors, 2 − 2 cos, of both directions (Eq. 2); in [0, 8]."""
        return 4 + 2 * negative_cosine(p1, t2) + 2 * negative_cosine(p2, t1)

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """ξ ← τ ξ + (1 − τ) θ with τ = `momentum`."""
        for part, follower in self.followers.items():
            for theta, xi in zip(getattr(self, part).parameters(), follower.parameters(), strict=True):
                xi.lerp_(theta, 1 - momentum)


class Target(Section):
    """How the target network follows."""

    momentum: float = Field(ge=0, le=1)
    """τ at the first step; it rises to 1."""

    def at(self, step: int, steps: int) -> float:
        """τ at a step: 1 − (1 − τ_base) (cos(π step / steps) + 1) / 2 (section 3.3)."""
        return 1 - (1 - self.momentum) * (math.cos(math.pi * step / steps) + 1) / 2
