"""Several processes, one a GPU, started by torchrun: which one is this, and what do they tell each other.

All run the same program with the same seed, so they agree on what to do at every step; only images are shared out.
Without torchrun there is one process, and each function below is trivial.
"""

import atexit
import os
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from sdr.base.errors import UserError

T = TypeVar("T")
PATIENCE = timedelta(minutes=10)  # a process that has not answered for so long is taken for dead


def world() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, 0 … world − 1."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def join(device: torch.device) -> None:
    """Meet the other processes: NCCL on GPUs, gloo on CPUs. Once a program; its end parts from them."""
    if world() > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)


def part(size: int) -> slice:
    """This process' part of `size` things, as equal as can be, in order of rank."""
    return slice(size * rank() // world(), size * (rank() + 1) // world())


def equal_part(size: int, what: str) -> slice:
    """The same, where all parts must be equal.

    Raises:
        UserError: `size` is not a multiple of the number of processes.
    """
    if size % world():
        raise UserError(f"{what} {size} cannot be shared equally by {world()} processes: take a multiple of {world()}")
    return part(size)


def gather(rows: np.ndarray, size: int) -> np.ndarray:
    """Join what each process has for its `part(size)` (`n×…`, one dtype) into all `size` rows, on every process."""
    if world() == 1:
        return rows
    most = -(-size // world())
    mine = torch.zeros(most, *rows.shape[1:], dtype=torch.from_numpy(rows[:0]).dtype, device=_device())
    mine[: len(rows)] = torch.from_numpy(rows)
    parts = [torch.empty_like(mine) for _ in range(world())]
    dist.all_gather(parts, mine)
    ends = [size * r // world() for r in range(world() + 1)]
    return torch.cat([p[: b - a] for p, a, b in zip(parts, ends, ends[1:])]).cpu().numpy()


def mean(values: Tensor) -> Tensor:
    """The mean over the processes of a tensor that each has."""
    if world() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world()


def any_of(mine: bool) -> bool:
    """Whether it is true of any process."""
    if world() == 1:
        return mine
    flag = torch.tensor(float(mine), device=_device())
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def from_first(value: T) -> T:
    """What process 0 has, on every process."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0, device=_device())
    return box[0]


def _device() -> torch.device:
    """Where tensors that are exchanged lie."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
