"""How a step is computed: precision, memory layout, compiler. What it computes does not depend on it, up to rounding."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from pydantic import PositiveInt
from torch import nn

from sdr.base.params import Section

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # glibc's <malloc.h>


class Device(Section):
    """Settings for one kind of device."""

    bf16: bool
    """Compute in bfloat16 where that is safe (autocast)."""
    teacher_bf16: bool
    """For W_0 as a teacher, which needs no gradient."""
    channels_last: bool
    """Images and weights as N×H×W×C."""
    compile: bool
    """torch.compile; one graph serves all sub-nets."""
    fused: bool
    """The optimizer's step as one kernel."""
    accumulate: PositiveInt
    """Pieces in which a process' batch passes through the network; batch norms see one."""
    resident: bool
    """The whole data set in the device's memory."""

    @property
    def side_by_side(self) -> bool:
        """Whether both views may pass through a network at once: a compiler takes them as one, and where the gradients of
        parts of a batch add up, which view comes first would change bits."""
        return not self.compile and self.accumulate == 1


class Compute(Section):
    """Settings by kind of device."""

    deterministic: bool
    """CUDA: the same bits twice, at a price; a CPU always gives them."""
    cpu: Device
    cuda: Device

    def on(self, device: torch.device) -> Device:
        """The settings for a device."""
        return self.cuda if device.type == "cuda" else self.cpu


def autocast(device: torch.device, bf16: bool) -> AbstractContextManager:
    """bfloat16 where it is safe, or nothing; holds for the thread that enters it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def place(network: nn.Module, device: torch.device, settings: Device) -> nn.Module:
    """Move a network to its device, in its memory layout."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return network.to(device, memory_format=layout)


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Within the block CUDA uses deterministic kernels alone, and an operation without one is an error."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def compiled(function: Callable, wanted: bool) -> Callable:
    """`torch.compile` for fixed shapes, if wanted."""
    return torch.compile(function, dynamic=False) if wanted else function


def keep_freed_memory() -> None:
    """Tell glibc's malloc to keep what is freed, up to 32 MiB a block.

    By default it hands each larger tensor back to the kernel and asks for it anew, page by page, at every step; that is a
    tenth of a step on a CPU. Elsewhere (macOS, musl) this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # glibc's greatest
        mallopt(_TOP_PAD, 64 << 20)
