"""Sub-nets in five parts: the stem and the four stages, each checked out alone.

Where all statistics come from the same images, two sub-nets with the same first choices compute the same up to
there; see `sdr.route.tree`.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sdr.nets.calibrate import batch_norms, running
from sdr.nets.paths import N_STAGES, path_of
from sdr.nets.supernet import SubNets
from sdr.route.trained import TrainedSdr

DEPTH = N_STAGES + 1  # parts of a network


class Segments:
    """Runs parts of sub-nets, checked out into a template of its own.

    Args:
        trained: the networks, calibrated.
    """

    def __init__(self, trained: TrainedSdr):
        self._groups = trained.spec.groups
        self._statistics = trained.statistics
        template, supernet = copy.deepcopy(trained.template), trained.network
        backbone = template.backbone
        stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool)
        self._modules = [stem, *(getattr(backbone, f"layer{stage}") for stage in range(1, DEPTH))]
        self._pool: Callable[[Tensor], Tensor] = backbone.forward_head

        names = {id(parameter): name for name, parameter in template.named_parameters()}
        self._subnets = [
            SubNets(supernet, template, trained.spec, only={names[id(p)] for p in module.parameters()})
            for module in self._modules
        ]
        sizes = [layer.num_features for layer in batch_norms(backbone) for _ in range(2)]
        places = dict(zip(map(id, batch_norms(backbone)), _pairs(sizes)))
        self._norms = [[(layer, *places[id(layer)]) for layer in batch_norms(module)] for module in self._modules]
        self._loaded: list[int | None] = [None] * DEPTH

    @torch.inference_mode()
    def run(self, depth: int, number: int, x: Tensor) -> Tensor:
        """Apply part `depth` (0: the stem; 1 to 4: a stage) of sub-net `number` to the output of the part before."""
        self._check_out(depth, number)
        return self._modules[depth](x)

    @torch.inference_mode()
    def pool(self, x: Tensor) -> Tensor:
        """The last stage's maps `n×D×h×w` → features `n×D`."""
        return self._pool(x)

    def macs(self, x: Tensor) -> list[int]:
        """Multiply-adds of each part for one image `1×3×S×S`; they are the same for every sub-net."""
        counts = []
        for depth in range(DEPTH):
            with FlopCounterMode(display=False) as counter:
                x = self.run(depth, 0, x)
            counts.append(counter.get_total_flops() // 2)
        return counts

    def _check_out(self, depth: int, number: int) -> None:
        if self._loaded[depth] == number:
            return
        path = path_of(number, self._groups)
        with torch.no_grad():
            self._subnets[depth].check_out(path)
            for layer, mean, variance in self._norms[depth]:
                for target, columns in zip(running(layer), (mean, variance)):
                    target.copy_(self._statistics[number, columns])
        self._loaded[depth] = number


def _pairs(sizes: list[int]) -> list[tuple[slice, slice]]:
    """Where each layer's mean and variance lie in the vector of `calibrate.statistics`."""
    ends = torch.tensor(sizes).cumsum(0).tolist()
    places = [slice(end - size, end) for end, size in zip(ends, sizes)]
    return list(zip(places[::2], places[1::2]))
