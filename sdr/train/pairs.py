"""Both views of a step at once on a CPU: small convolutions leave the second core idle, two of them side by side don't."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

A = TypeVar("A")
B = TypeVar("B")


class Pairs:
    """Runs a function on two arguments: side by side on a CPU, each with half of the cores; one after the other on
    a GPU, which needs no such help, and where it is not wanted, as where the gradients of parts of a batch add up. For a given
    number of cores the results are always the same bits."""

    def __init__(self, device: torch.device, wanted: bool = True):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._threads = min(torch.get_num_threads(), cores)
        self._pool = ThreadPoolExecutor(1) if wanted and device.type == "cpu" and self._threads > 1 else None

    @property
    def side_by_side(self) -> bool:
        """Whether the two run at once."""
        return self._pool is not None

    def __enter__(self) -> "Pairs":
        if self._pool:
            torch.set_num_threads(self._threads // 2)
            self._pool.submit(torch.set_num_threads, self._threads // 2).result()
        return self

    def __exit__(self, *_) -> None:
        if self._pool:
            self._pool.shutdown()
            torch.set_num_threads(self._threads)

    def map(self, function: Callable[[A], B], first: A, second: A) -> tuple[B, B]:
        """`function(first), function(second)`, with the caller's gradient mode in both."""
        if self._pool is None:
            return function(first), function(second)
        grad = torch.is_grad_enabled()

        def other() -> B:
            with torch.set_grad_enabled(grad):
                return function(second)

        future = self._pool.submit(other)
        try:
            return function(first), future.result()
        finally:
            future.exception()  # never leave it running behind an error

    def backward(self, losses: Callable[..., Tensor], first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Backpropagate the sum of `losses(*first, *second)` (a vector) through the two graphs that end there.

        The gradient is taken at the ends, then each half goes on through its own graph. A parameter gets two terms, and
        which is added first changes no bit; it would with gradients from before, so there must be none.
        """
        ends = [[t.detach().requires_grad_() for t in half] for half in (first, second)]
        values = losses(*ends[0], *ends[1])
        values.sum().backward()

        def through(half: tuple[list[Tensor], list[Tensor]]) -> None:
            used = [(t, end.grad) for t, end in zip(*half, strict=True) if end.grad is not None]
            torch.autograd.backward([t for t, _ in used], [grad for _, grad in used])

        self.map(through, (first, ends[0]), (second, ends[1]))
        return values.detach()
