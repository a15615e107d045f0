"""SimCLR (Chen et al., ICML 2020): a view's projection finds the other view's among all projections of the batch.

In SDR a cluster's images are each other's negatives, which are hard ones; nothing of the paper's (section 4.1) changes.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from sdr.base.params import Section
from sdr.base.ranks import rank
from sdr.base.sums import rows_of_all
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.simsiam import SimSiam


class Contrast(Section):
    """How sharply projections are told apart."""

    temperature: PositiveFloat = Field(le=1e3)
    """T: cosines are divided by it before the softmax."""


class SimClr(SimSiam):
    """Encoder f (backbone and projector); there is no predictor, so p = z."""

    method: ClassVar[str] = "simclr"
    fixed_predictor_lr: ClassVar[bool] = False

    def __init__(self, spec: Backbone, widths: tuple[int, ...], heads: Heads, contrast: Contrast | None = None):
        """`contrast` is needed to train alone."""
        super().__init__(spec, widths, heads)
        self.predictor, self._contrast = nn.Identity(), contrast

    def loss(self, p1: Tensor, p2: Tensor, t1: Tensor, t2: Tensor) -> Tensor:  # type: ignore[override]  # needs T
        """NT-Xent of the projections `N×P` of the two views; the targets, the same without gradient, are not used."""
        return nt_xent(p1, p2, self._temperature())

    def match(self, p: Tensor, t: Tensor) -> Tensor:
        """Of the distillation: a projection finds its image's target among those of the batch."""
        return find(p, t.detach(), self._temperature())

    def _temperature(self) -> float:
        assert self._contrast is not None, "made without `contrast`, which training needs"
        return self._contrast.temperature


def nt_xent(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """L = mean over the 2N projections i of −log( exp(⟨i, j⟩/T) / Σ_{k ≠ i} exp(⟨i, k⟩/T) ), j of i's other view (Eq. 1).

    Args:
        z1, z2: this process' projections of the two views, `n×P`, of any length. The sum runs over those of all processes,
            N = n · world, with gradient: the mean of this value over the processes, and of its gradients, are those of one
            process with all N images.
        temperature: T.

    Returns:
        The mean over this process' 2n projections; float32 at least, autocast or not.
    """
    (z1, all1), (z2, all2) = _unit(z1), _unit(z2)
    n, first, total = len(z1), rank() * len(z1), len(all1)
    own = torch.arange(first, first + n, device=z1.device)  # where this process' rows lie among all
    own = torch.cat([own, own + total])
    with _exact(z1.device):
        logits = torch.cat([z1, z2]) @ torch.cat([all1, all2]).T / temperature  # 2n×2N
    logits = logits.scatter(1, own[:, None], -torch.inf)  # k ≠ i
    return F.cross_entropy(logits, own.roll(n))


def find(p: Tensor, t: Tensor, temperature: float) -> Tensor:
    """Mean over the n rows of p `n×P` of −log( exp(⟨p_i, t_i⟩/T) / Σ_k exp(⟨p_i, t_k⟩/T) ), k over the rows of t of all processes."""
    (p, _), (_, t) = _unit(p, among_all=False), _unit(t)
    with _exact(p.device):
        logits = p @ t.T / temperature  # n×N
    return F.cross_entropy(logits, torch.arange(len(p), device=p.device) + rank() * len(p))


def _unit(z: Tensor, among_all: bool = True) -> tuple[Tensor, Tensor]:
    """z/‖z‖, this process' rows and those of all."""
    z = F.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)
    return z, rows_of_all(z) if among_all else z


def _exact(device: torch.device) -> AbstractContextManager:
    """Without autocast, where a device knows it; shapes alone do not."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()
