"""Features of many sub-nets on the same images, what their paths share computed once.

The paths of the sub-nets form a tree: `groups` branches a stage. A walk through it, a batch of images at a time, runs
each stage once for each prefix: for 256 sub-nets 4 + 16 + 64 + 256 stages in place of 4 · 256. Several processes share
the images; each gets all features.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from sdr.base.errors import UserError
from sdr.base.ranks import gather, own_rows, world
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.paths import N_STAGES, path_of
from sdr.route.segments import DEPTH, Segments
from sdr.route.trained import TrainedSdr


class Embedder:
    """Embeds the images of one task with sub-nets, and counts what that costs.

    Args:
        trained: the networks, calibrated.
        images: `N×S×S×3` uint8, memory-mapped say.
        params: how they are shown to a network.
        device: of the networks.
        share: compute common prefixes once. Exact only if the statistics are common to all sub-nets.
        memory: bytes of features held at a time, at most; those of one sub-net in any case.

    Attributes:
        cost: so far, of all processes: macs, multiply-adds; forwards, images times networks.
        full: multiply-adds of one image through one sub-net.

    Raises:
        UserError: `share`, but each sub-net has statistics of its own.
    """

    def __init__(
        self,
        trained: TrainedSdr,
        images: np.ndarray,
        params: Embedding,
        device: torch.device,
        share: bool,
        memory: int = 4 << 30,
    ):
        if share and not trained.common:
            raise UserError(
                "these sub-nets were calibrated on their own clusters and share no computation: choose another search "
                "than tree, or run the pipeline with calibrate.source: common"
            )
        self._parts, self._groups = Segments(trained), trained.spec.groups
        self._images, self._params, self._device = images, params, device
        self._share, self._memory, self._dim = share, memory, trained.template.backbone.num_features
        self._part_macs = self._parts.macs(self._view(np.arange(1)))
        self._macs, self.cost = 0, {"macs": 0, "forwards": 0}

    @property
    def full(self) -> int:
        return sum(self._part_macs)

    def __call__(self, numbers: Sequence[int], rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, features `n×D` float32) of these sub-nets, in ascending order, for the images `rows`."""
        for together in self._chunks(sorted(numbers), len(rows)):
            mine, before = rows[own_rows(len(rows))], self._macs
            features = {number: np.empty((len(mine), self._dim), dtype=np.float32) for number in together}
            for start in range(0, len(mine), self._params.batch_size):
                batch = mine[start : start + self._params.batch_size]
                for number, found in self._walk(self._view(batch), 0, together):
                    features[number][start : start + len(batch)] = found.float().cpu().numpy()
            self.cost["macs"] += int(gather(np.array([self._macs - before]), world()).sum())
            self.cost["forwards"] += len(rows) * len(together)
            for number in together:
                yield number, gather(features[number], len(rows))

    def _chunks(self, numbers: list[int], n: int) -> list[list[int]]:
        """Split sub-nets into sets that are embedded together: as large as fits, with a prefix in common."""
        if not self._share:
            return [[number] for number in numbers]
        for length in range(DEPTH):
            chunks = self._branches(numbers, slice(length))
            if max(map(len, chunks)) * n * self._dim * 4 <= self._memory:
                break
        return chunks

    def _walk(self, x: Tensor, depth: int, numbers: list[int]) -> Iterator[tuple[int, Tensor]]:
        """Run part `depth` of these sub-nets, which agree so far, and all that follows."""
        x = self._parts.run(depth, numbers[0], x)
        self._macs += len(x) * self._part_macs[depth]
        if depth == N_STAGES:
            yield numbers[0], self._parts.pool(x)
            return
        for branch in self._branches(numbers, slice(depth, depth + 1)):
            yield from self._walk(x, depth + 1, branch)

    def _branches(self, numbers: list[int], stages: slice) -> list[list[int]]:
        """Split ascending numbers by the choices that their paths make in some stages."""
        return [list(found) for _, found in groupby(numbers, lambda i: path_of(i, self._groups)[stages])]

    def _view(self, rows: np.ndarray) -> Tensor:
        return evaluation_view(self._images[rows], self._params.side, self._device)
