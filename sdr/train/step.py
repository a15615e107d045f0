"""One optimizer step of one network: L_SSL(D_0; W_0), or L_SSL(D_i; W_i) + L_SiamKD(D_i; W_i) (paper, Algorithm 1)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sdr.base.params import Section
from sdr.base.ranks import world
from sdr.ssl.byol import Byol
from sdr.ssl.distill import l2_loss, siamkd_loss
from sdr.ssl.simsiam import SimSiam
from sdr.train.compute import Device, autocast, compiled
from sdr.train.norms import synchronised
from sdr.train.optimizers import Optimization, make_optimizer, set_lr
from sdr.train.pairs import Pairs

Views = tuple[Tensor, Tensor]  # of the same images, `B×3×S×S` each


class Distillation(Section):
    """What the sub-nets learn from their teacher."""

    loss: Literal["siamkd", "l2", "none"]
    views: Literal[1, 2]
    """Of the teacher: 1 is Eq. 4 to the letter, 2 is symmetric."""
    weight: float = Field(ge=0)
    """Of its loss beside L_SSL."""
    train_teacher: bool
    """W_0 is trained on a sub-net's images too, by the forward pass that teaches."""

    @property
    def views_taught(self) -> int:
        """Views of an image that pass through the teacher."""
        return 0 if self.loss == "none" or self.weight == 0 else self.views


class Rates(NamedTuple):
    """What changes from step to step."""

    encoder: float  # learning rates
    predictor: float
    momentum: float  # τ of BYOL's target
    head_only: bool = False  # the backbone stays as it is


@dataclass(frozen=True)
class Outcome:
    """Of one step, this process' part; on the device, no wait for it."""

    losses: Tensor
    """2 float32: L_SSL, weighted distillation."""
    z: Tensor
    """Projections of the first view, B×P."""
    targets: list[Tensor]
    """What this network teaches with this step's images: of both views, B×P each."""
    gradient: Tensor | None
    """Norm of the gradient, where it was asked for."""


class TwoViews(nn.Module):
    """Both views through one network, as one module: what is compiled, and what DDP synchronises."""

    def __init__(self, network: SimSiam):
        super().__init__()
        self.network = network

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, ...]:
        """Two views → z, p and t of each (`SimSiam.forward`)."""
        return *self.network(x1), *self.network(x2)


class Teacher:
    """A network that others learn from.

    Args:
        network: on `device`; its batch norms are synchronised if there are several processes.
        settings: how it is computed.
        pairs: runs both views side by side, unless a compiler or DDP needs them as one.
    """

    def __init__(self, network: SimSiam, settings: Device, pairs: Pairs):
        self.network, self._settings, self._pairs = network, settings, pairs
        self.device = next(network.parameters()).device
        if world() > 1:
            synchronised(network, self.device)
        self._target = compiled(network.target, settings.compile)

    @torch.no_grad()
    def teach(self, views: Views, how: Distillation | None) -> list[Tensor]:
        """What this network teaches about these views; nothing if nothing is asked for."""
        if how is None or how.views_taught == 0:
            return []

        def target(x: Tensor) -> Tensor:
            with autocast(self.device, self._settings.teacher_bf16):
                return self._target(x).float()

        return [target(views[0])] if how.views_taught == 1 else [*self._pairs.map(target, *views)]


class Trainee(Teacher):
    """A network and its optimizer, ready to be stepped; W_0 teaches too.

    Args:
        optimization: of the optimizer.
        network, settings, pairs: as of `Teacher`.
    """

    def __init__(self, network: SimSiam, optimization: Optimization, settings: Device, pairs: Pairs):
        super().__init__(network, settings, pairs)
        self.optimizer = make_optimizer(network, optimization, settings.fused)
        self._two: nn.Module = TwoViews(network)
        if world() > 1:
            ids = [self.device.index] if self.device.type == "cuda" else None
            with warnings.catch_warnings():  # torch 2.15 renames the argument, and 2.11 does not know the new name
                warnings.simplefilter("ignore", FutureWarning)
                self._two = DistributedDataParallel(self._two, device_ids=ids, broadcast_buffers=False)
        self._forward = compiled(self._two, settings.compile)

    def step(
        self, views: Views, teacher: Sequence[Tensor], how: Distillation | None, rates: Rates, norm: bool
    ) -> Outcome:
        """Train on these views.

        Args:
            views: this process' part of the batch.
            teacher: from a teacher's `teach`.
            how: of the distillation; not used without a teacher.
            rates: of this step.
            norm: whether the norm of the gradient is wanted.
        """
        parts = self._settings.accumulate
        set_lr(self.optimizer, rates.encoder, rates.predictor)
        self.optimizer.zero_grad(set_to_none=True)
        found = []
        for i, (x1, x2, *taught) in enumerate(zip(*(t.chunk(parts) for t in (*views, *teacher)), strict=True)):
            if world() > 1:
                self._two.require_backward_grad_sync = i == parts - 1  # what DDP's `no_sync` sets
            found.append(self._backward((x1, x2), taught, how, 1 / parts))
        if rates.head_only:  # an optimizer passes over what has no gradient, its momentum and weight decay too
            for parameter in self.network.backbone.parameters():
                parameter.grad = None
        gradient = _norm(self.network) if norm else None
        self.optimizer.step()
        if isinstance(self.network, Byol):
            self.network.follow(rates.momentum)
        losses, z, t1, t2 = zip(*found)
        return Outcome(torch.stack(losses).sum(0), torch.cat(z), [torch.cat(t1), torch.cat(t2)], gradient)

    def _backward(
        self, views: Views, teacher: Sequence[Tensor], how: Distillation | None, share: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Add `share` of the loss' gradient; return share of the losses, z of the first view, both targets."""

        def one(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            with autocast(self.device, self._settings.bf16):
                return tuple(y.float() for y in self.network(x))

        def losses(z1: Tensor, p1: Tensor, z2: Tensor, p2: Tensor) -> Tensor:
            ssl = self.network.loss(p1, p2, t1, t2)
            distill = torch.zeros_like(ssl)
            if teacher:
                if how.loss == "siamkd":
                    distill = how.weight * siamkd_loss([p1, p2], teacher, self.network.match)
                else:
                    distill = how.weight * l2_loss([z1, z2], teacher)
            return share * torch.stack([ssl, distill])

        if self._pairs.side_by_side:
            (z1, p1, t1), (z2, p2, t2) = self._pairs.map(one, *views)
            values = self._pairs.backward(losses, [z1, p1], [z2, p2])
        else:
            with autocast(self.device, self._settings.bf16):
                outputs = self._forward(*views)
            z1, p1, t1, z2, p2, t2 = (y.float() for y in outputs)
            values = losses(z1, p1, z2, p2)
            values.sum().backward()
        return values.detach(), z1.detach(), t1.detach(), t2.detach()


def _norm(network: nn.Module) -> Tensor:
    """Norm of all gradients together."""
    return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
