"""Several processes, one a GPU: how they are started, which one is this, where it computes, what they tell each other.

All run the same program with the same seed, so they agree on what to do at every step; only images are shared out.
Without torchrun there is one process, and each function below is trivial. torch is imported where it is used, since
programs that compute nothing ask for their rank too.
"""

from __future__ import annotations

import atexit
import io
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from sdr.base import meeting
from sdr.base.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

T = TypeVar("T")
PATIENCE = timedelta(minutes=10)  # a process that has not answered for so long is taken for dead


def world() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, 0 … world − 1."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def in_processes() -> None:
    """Start this program again under torchrun, in as many processes as the parameter `processes` says.

    Exits as they do. Returns in each of them, and at once if there is to be one only, or if a launcher (`torchrun` on
    several machines: docs/scale.md) has started this one.

    Raises:
        UserError: one of them failed; the others were stopped.
    """
    from pydantic import PositiveInt

    from sdr.base.params import machine

    processes = machine("processes", PositiveInt)
    if processes == 1 or "WORLD_SIZE" in os.environ:
        return
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=str(os.getpid()),
        rdzv_backend=meeting.BACKEND,
        max_restarts=0,
    )
    spec = sys.modules["__main__"].__spec__
    assert spec is not None, "stages are run as `python -m stages.NAME`"
    try:
        with meeting.file_meeting():
            elastic_launch(config, sys.executable)("-m", spec.name, *sys.argv[1:])
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        code = failure.exitcode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        raise UserError(
            f"process {number} of {processes} {how}, so the others were stopped; its message, if it had one, is above. "
            "Run the same command again: a training goes on from its last checkpoint"
        ) from None
    except SignalException:
        raise KeyboardInterrupt from None
    sys.exit(0)


def pick_device(several: bool = False) -> torch.device:
    """The GPU if there is one, else the CPU; `$SDR_DEVICE` decides otherwise (`cpu`, `cuda:1`, …).

    Args:
        several: the program knows how to run in several processes; each takes the GPU of its number, and they meet.

    Raises:
        UserError: a launcher has started several processes of a program that runs in one.
    """
    import torch

    chosen = os.environ.get("SDR_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if world() == 1:
        return torch.device(chosen)
    if not several:
        raise UserError("a launcher has started several processes, but this stage runs in one: start one")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if chosen == "cuda" else torch.device(chosen)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    _join(device)
    return device


def own_rows(size: int) -> slice:
    """This process' part of `size` things, as equal as can be, in order of rank."""
    return slice(size * rank() // world(), size * (rank() + 1) // world())


def equal_rows(size: int, what: str) -> slice:
    """The same, where all parts must be equal.

    Raises:
        UserError: `size` is not a multiple of the number of processes.
    """
    if size % world():
        raise UserError(f"{what} {size} cannot be shared equally by {world()} processes: take a multiple of {world()}")
    return own_rows(size)


def gather(rows: np.ndarray, size: int) -> np.ndarray:
    """Join what each process has for its `own_rows(size)` (`n×…`, one dtype) into all `size` rows, on every process."""
    if world() == 1:
        return rows
    import torch
    import torch.distributed as dist

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
    import torch.distributed as dist

    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world()


def any_of(mine: bool) -> bool:
    """Whether it is true of any process."""
    if world() == 1:
        return mine
    import torch
    import torch.distributed as dist

    flag = torch.tensor(float(mine), device=_device())
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def from_first(value: T) -> T:
    """What process 0 has, on every process: plain data and tensors, which are read without running anything."""
    if world() == 1:
        return value
    import torch
    import torch.distributed as dist

    content = io.BytesIO()
    if rank() == 0:
        torch.save(value, content)
    size = torch.tensor(len(content.getbuffer()), device=_device())
    dist.broadcast(size, src=0)
    sent = torch.empty(int(size), dtype=torch.uint8, device=_device())
    if rank() == 0:
        sent.copy_(torch.frombuffer(content.getbuffer(), dtype=torch.uint8))
    dist.broadcast(sent, src=0)
    return torch.load(io.BytesIO(sent.cpu().numpy().tobytes()), map_location="cpu", weights_only=True)


def _join(device: torch.device) -> None:
    """Meet the other processes: NCCL on GPUs, gloo on CPUs. Once a program; its end parts from them."""
    import torch.distributed as dist

    if not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, meeting.place(), PATIENCE, world_size=world(), rank=rank())
        atexit.register(dist.destroy_process_group)


def _device() -> torch.device:
    """Where tensors that are exchanged lie."""
    import torch
    import torch.distributed as dist

    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
