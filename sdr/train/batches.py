"""What each step is given: images and draws, read and drawn in the background while the steps before it run, and its views."""

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sdr.base.randomness import draw_batch, torch_rng
from sdr.base.ranks import equal_rows
from sdr.ssl.views import Draws, Views, draw, empty_views, make_views, part_of
from sdr.train.pairs import Pairs
from sdr.train.schedule import W0, Schedule

AHEAD = 2  # batches that wait ready


class Images(Protocol):
    """Where batches come from, `sdr.corpus.store.ImageStore` say."""

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Image indices `B` → `B×S×S×3` uint8; called from one other thread."""


@dataclass(frozen=True)
class Batch:
    """What one step does: a function of (seed, step), but for which of its images are this process'."""

    step: int
    network: int
    """W0, or the number of a sub-net."""
    images: Tensor
    """B×S×S×3 uint8, on the device."""
    draws: tuple[Draws, Draws]
    """Of the two views of these images."""


class Batches:
    """The batches of the steps `start`, `start + 1`, …, from a thread of their own; each comes with its two views.

    Args:
        data: D_0, all images.
        subsets: image indices of D_1 … D_k.
        schedule: which network each step trains: W_0 on D_0, sub-net i on D_i.
        size: images a step, over all processes.
        views: distribution of the views.
        start: the first step.
        device: where batches go.
        resident: keep all of `data` on the device.
        pairs: makes both views.

    Attributes:
        waited: seconds that the training has waited for data.
    """

    def __init__(
        self,
        data: Images,
        subsets: list[np.ndarray],
        schedule: Schedule,
        size: int,
        views: Views,
        start: int,
        device: torch.device,
        resident: bool,
        pairs: Pairs,
    ):
        self._data, self._subsets, self._schedule, self._views = data, subsets, schedule, views
        self._size, self._part, self._device, self._pairs = size, equal_rows(size, "batch_size"), device, pairs
        self._everything, self._start, self.waited = np.arange(len(data)), start, 0.0
        self._pixels = torch.from_numpy(data.read(self._everything)).to(device) if resident else None
        self._ready: queue.SimpleQueue[Batch | BaseException | None] = queue.SimpleQueue()
        self._room, self._stop = threading.Semaphore(AHEAD), False
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)

    def __enter__(self) -> Iterator[tuple[Batch, tuple[Tensor, Tensor]]]:
        self._thread.start()
        return self._iterate()

    def __exit__(self, *_) -> None:
        self._stop = True
        self._room.release()
        self._thread.join()

    def _iterate(self) -> Iterator[tuple[Batch, tuple[Tensor, Tensor]]]:
        while True:
            before = time.perf_counter()
            batch = self._ready.get()
            self.waited += time.perf_counter() - before
            if isinstance(batch, BaseException):
                raise batch
            if batch is None:
                return
            yield batch, self._both(batch)

    def _both(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The views of a batch. Only then is there room for another: to read and draw it meanwhile, in as many small
        operations, would keep the interpreter lock from these."""
        views = both_views(batch.images, batch.draws, self._views, self._pairs)
        self._room.release()
        return views

    def _run(self) -> None:
        try:
            torch.set_num_threads(1)  # of this thread: the cores belong to the training
            for step in range(self._start, self._schedule.steps):
                self._room.acquire()
                if self._stop:
                    return
                self._ready.put(self.make(step))
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the batch is asked for
            self._ready.put(error)

    def make(self, step: int) -> Batch:
        """The batch of a step."""
        seed, network = self._schedule.seed, self._schedule.network(step)
        subset = self._everything if network == W0 else self._subsets[network]
        rows = draw_batch(subset, self._size, seed, step)[self._part]
        if self._pixels is None:
            images = torch.from_numpy(self._data.read(rows))
            if self._device.type == "cuda":
                images = images.pin_memory().to(self._device, non_blocking=True)
        else:
            images = self._pixels[torch.from_numpy(rows).to(self._device)]
        height, width = images.shape[1:3]
        draws = [draw(self._size, height, width, self._views, i, torch_rng(seed, "views", step, i + 1)) for i in (0, 1)]
        draws = [part_of(drawn, self._part.start, self._part.stop) for drawn in draws]
        return Batch(step, network, images, (draws[0], draws[1]))


def both_views(images: Tensor, draws: tuple[Draws, Draws], views: Views, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Images `B×S×S×3` uint8 → the two views that were drawn of each, `B×3×size×size` float32; half of the images beside the
    other where that helps."""
    n = len(images)
    out = [empty_views(n, views.side, images.device) for _ in draws]

    def make(first: int, last: int) -> None:
        parts = [part_of(drawn, first, last) for drawn in draws]
        make_views(images[first:last], parts, views, [view[first:last] for view in out])

    if pairs.side_by_side:
        pairs.map(lambda half: make(*half), (0, n // 2), (n // 2, n))
    else:
        make(0, n)
    return out[0], out[1]
