"""Optimizers as published: SGD for SimSiam, LARS for BYOL."""

from typing import Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from sdr.base.params import Section
from sdr.ssl.simsiam import SimSiam


class Optimization(Section):
    """The peak learning rate is `lr · batch_size / 256`, the linear rule of Goyal et al. 2017."""

    optimizer: Literal["sgd", "lars"]
    """lars: You et al. 2017, not of biases and batch norms (BYOL, section 3.3)."""
    batch_size: PositiveInt = Field(ge=2)
    """Over all processes."""
    lr: PositiveFloat = Field(le=1000)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0, le=1)
    warmup_epochs: float = Field(ge=0, le=1e6)

    @property
    def peak(self) -> float:
        """Learning rate after the warm-up."""
        return self.lr * self.batch_size / 256


def make_optimizer(network: SimSiam, params: Optimization, fused: bool) -> torch.optim.Optimizer:
    """An optimizer whose momentum is there from the start (zeros), so that it can be sliced.

    Its parameter groups are (encoder, predictor), each twice with LARS: weights, then biases and batch norms.
    """
    encoder = [*network.backbone.parameters(), *network.projector.parameters()]
    parts = [part for part in (encoder, [*network.predictor.parameters()]) if part]  # SimCLR has no predictor
    if params.optimizer == "sgd":
        groups = [{"params": part, "predictor": i == 1} for i, part in enumerate(parts)]
        optimizer = torch.optim.SGD(
            groups, lr=0.0, momentum=params.momentum, weight_decay=params.weight_decay, fused=fused
        )
    else:
        from timm.optim.lars import Lars

        groups = [
            {"params": [p for p in part if (p.ndim > 1) == heavy], "predictor": i == 1}
            | {"weight_decay": params.weight_decay * heavy, "always_adapt": heavy}
            for i, part in enumerate(parts)
            for heavy in (True, False)
        ]
        optimizer = Lars(groups, lr=0.0, momentum=params.momentum, trust_coeff=0.001)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def set_lr(optimizer: torch.optim.Optimizer, encoder: float, predictor: float) -> None:
    """Set the learning rates of the two parts."""
    for group in optimizer.param_groups:
        group["lr"] = predictor if group["predictor"] else encoder
