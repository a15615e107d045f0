"""The lottery-ticket comparison (paper, Table 3, second part): a network of the super-net's width, trained, then
pruned by magnitude to the size of a sub-net.

Once and after training, as the paper does it; without the rewinding and retraining of Frankle and Carbin (2018), who
ask whether a ticket can be trained, not whether it is in the network already.
"""

from copy import deepcopy
from typing import Literal

import torch
from timm.models.resnet import ResNet
from torch import Tensor, nn

from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.nets.backbone import Backbone, resnet
from sdr.ssl.folder import count

_ALIKE = ("block", "layers", "stem_type", "stem_width")  # in the super-net and its sub-nets


class Pruned(Section):
    """An entry of `pruned` in `params.yaml`: how the size of a sub-net is reached."""

    how: Literal["structured", "unstructured"]
    """Whole channels, to its widths | single weights, to its count."""


def prune(
    name: str, spec: Pruned, wide: ResNet, baseline: Backbone, backbone: Backbone
) -> tuple[ResNet, tuple[int, ...]]:
    """Prune the baseline to the size of a sub-net; its batch-norm statistics have to be measured anew then.

    Args:
        name: of the entry in `pruned`, for messages.
        wide: the baseline, on the CPU: the same weights are kept wherever the pipeline runs.
        baseline: its own widths.
        backbone: those of the super-net and its sub-nets.

    Returns:
        The pruned network, and the widths of its stages.

    Raises:
        UserError: the baseline is no wider than a sub-net, or another kind of network.
    """
    widths = baseline.supernet_widths
    if widths == backbone.subnet_widths:
        raise UserError(f"pruned.{name}: the baseline has already a sub-net's size; set pretrain.width: supernet")
    alike = all(getattr(baseline, key) == getattr(backbone, key) for key in _ALIKE)
    if not alike or any(had < kept for had, kept in zip(widths, backbone.subnet_widths)):
        raise UserError(
            f"pruned.{name}: artifacts/baseline (widths {list(widths)}) does not contain a sub-net of `backbone` "
            f"(widths {list(backbone.subnet_widths)}); run `dvc repro pretrain`"
        )
    if spec.how == "structured":
        return structured(wide, backbone), backbone.subnet_widths
    return unstructured(wide, count(resnet(backbone, backbone.subnet_widths))), widths


@torch.no_grad()
def structured(wide: ResNet, spec: Backbone) -> ResNet:
    """Keep the channels of the largest filters, as many as a sub-net has: an ordinary ResNet of `spec.subnet_widths`.

    A filter's size is the L1 norm of its weights (Li et al., ICLR 2017, section 3.1), not scaled by the batch norm that
    follows. All blocks of a stage add to the same channels, its residual stream, so these are chosen once for the
    stage, by the sum over all filters that write to a channel: the L1 norm of all that goes with it. Li et al. take
    the shortcut's filters alone, which only the first block of a stage has. Channels inside a block are chosen
    convolution by convolution, all by the weights as they were trained: their "independent" strategy. The stem stays.

    Args:
        wide: a network of the same blocks, with as many channels or more everywhere; it stays as it is.
        spec: of the sub-net.

    Returns:
        The pruned network in evaluation mode, with the statistics that its channels had in `wide`.
    """
    state = wide.state_dict()

    def keep(conv: str, norm: str, out: Tensor, enter: Tensor) -> None:
        """Of a convolution `O×I×k×k` and its batch norm `O`, keep the channels `out` of O and `enter` of I."""
        state[f"{conv}.weight"] = state[f"{conv}.weight"][out][:, enter]
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = state[f"{norm}.{part}"][out]

    enter = torch.arange(wide.layer1[0].conv1.in_channels)  # the stem's channels
    for stage, planes in enumerate(spec.subnet_widths, 1):
        blocks = getattr(wide, f"layer{stage}")
        writers = [_convs(block)[-1] for block in blocks]
        writers += [block.downsample[0] for block in blocks if block.downsample is not None]
        leave = largest(sum(filter_norms(conv) for conv in writers), planes * spec.expansion)
        for index, block in enumerate(blocks):
            name, kept, convs = f"layer{stage}.{index}", enter, _convs(block)
            for number, conv in enumerate(convs, 1):
                out = leave if conv is convs[-1] else largest(filter_norms(conv), planes)
                keep(f"{name}.conv{number}", f"{name}.bn{number}", out, kept)
                kept = out
            if block.downsample is not None:
                keep(f"{name}.downsample.0", f"{name}.downsample.1", leave, enter)
            enter = leave
    narrow = resnet(spec, spec.subnet_widths)
    narrow.load_state_dict(state)
    return narrow.eval()


@torch.no_grad()
def unstructured(wide: ResNet, parameters: int) -> ResNet:
    """Set the smallest weights of all convolutions together to 0, so that `parameters` parameters remain.

    Global magnitude pruning, as Frankle and Carbin (2018, section 4) prune deep networks. Batch norms keep their
    parameters, and these count. Of equal weights the first ones stay.

    Args:
        wide: the network; it stays as it is.
        parameters: how many are to remain, batch norms' included.

    Returns:
        The pruned network in evaluation mode: as wide and with the same statistics.

    Raises:
        UserError: there are more parameters than these beside the convolutions, or fewer in all.
    """
    pruned = deepcopy(wide)
    weights = [layer.weight for layer in pruned.modules() if isinstance(layer, nn.Conv2d)]
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    n_kept = parameters - (count(pruned) - len(sizes))
    if not 0 <= n_kept <= len(sizes):
        raise UserError(
            f"a network of {count(pruned):,} parameters, {len(sizes):,} of them in convolutions, cannot be pruned to "
            f"{parameters:,} by its convolutions' weights"
        )
    dropped = torch.ones(len(sizes), dtype=torch.bool)
    dropped[largest(sizes, n_kept)] = False
    for weight, part in zip(weights, dropped.split([weight.numel() for weight in weights])):
        weight.masked_fill_(part.view(weight.shape), 0)
    return pruned.eval()


def filter_norms(conv: nn.Conv2d) -> Tensor:
    """L1 norm of each filter `I×k×k` of a convolution's weights `O×I×k×k`: `O` float64."""
    return conv.weight.double().abs().sum((1, 2, 3))


def largest(values: Tensor, n: int) -> Tensor:
    """Places of the `n` largest of `values` (one axis), in ascending order; of equal ones the first."""
    return values.argsort(descending=True, stable=True)[:n].sort().values


def _convs(block: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of a basic (2) or bottleneck (3) block one after the other, without the shortcut's."""
    return [layer for name, layer in block.named_children() if name.startswith("conv")]
