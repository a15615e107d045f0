"""Sums over the processes through which gradients pass."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from sdr.base.ranks import rank, world


class _Sum(torch.autograd.Function):
    """Sum over the processes; so is the gradient."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


def total(x: Tensor) -> Tensor:
    """The sum over the processes of a tensor that each has, with gradient: each gets that of what all make of the sum."""
    return _Sum.apply(x)


def rows_of_all(x: Tensor) -> Tensor:
    """The rows of each process' `x` (`n×…`, the same n) one below the other, in order of rank, with gradient as `total`."""
    if world() == 1:
        return x
    parts = [torch.zeros_like(x) for _ in range(world())]
    parts[rank()] = x
    return total(torch.cat(parts))
