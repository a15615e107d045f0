"""A ready network as the baseline's architecture: which `backbone` of params.yaml it is, and what to write there.

A sub-net has `shared + group` channels a stage, so it is that network where the sum is the network's own width. W_0 is wider.
"""

from typing import Any

import torch
from torch import nn

from sdr.base.errors import UserError
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.pixels import MEAN, STD

SUPPORTED = (
    "supported are ResNets of basic or bottleneck blocks as `timm.models.resnet` makes them (resnet18, 26, 34, 50, 101, 152, and "
    "those with -d), plain ones: no SE, ResNeXt, wide, anti-aliased or other pooling"
)
_PARTS = 16  # a width is shared out in so many parts, so that those of groups are round numbers as it is
_SIDE = 64  # pixels, of the image on which two networks are compared


def spec_of(network: nn.Module, groups: int, what: str) -> Backbone:
    """Return the backbone whose sub-nets are `network`, half of W_0's channels shared (paper, section 5.1), or nearly.

    Where the first stage has no shortcut convolution (basic blocks behind a stem of their width) all sub-nets share it: W_0, were it
    wider there, would need one, and so differ from its sub-nets in kind.

    Args:
        network: without a classifier, or with one.
        groups: individual groups a stage.
        what: its name, for messages.

    Raises:
        UserError: it is no network that a sub-net could be, or wants images of another mean and deviation than ours.
    """
    try:
        spec = _read_off(network, groups)
    except (AttributeError, IndexError, TypeError, ValueError):
        raise UserError(
            f"{what}: {type(network).__name__} is no network that a sub-net could be; {SUPPORTED}"
        ) from None
    ours = resnet(spec, spec.subnet_widths)
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (wanted, ours.state_dict())]
    if shapes[0] != shapes[1] or not _agree(network, ours, wanted):
        odd = sorted(name for name in {**shapes[0], **shapes[1]} if shapes[0].get(name) != shapes[1].get(name))
        differs = f"{odd[0]} differs" if odd else "it computes something else than its weights say"
        raise UserError(f"{what}: no network that a sub-net could be ({differs}); {SUPPORTED}")
    cfg: dict[str, Any] = getattr(network, "pretrained_cfg", {})
    seen = [tuple(cfg.get(key, ours)) for key, ours in (("mean", MEAN), ("std", STD))]
    if seen != [MEAN, STD]:
        raise UserError(
            f"{what}: was trained on images of mean {seen[0]} and deviation {seen[1]}; training here shows images of ImageNet's "
            f"mean {MEAN} and deviation {STD}, and no first convolution makes up for it at the image's border: take other weights"
        )
    return spec


def check_same(wanted: Backbone, spec: Backbone, what: str) -> None:
    """Raise UserError, with the lines to write, unless a sub-net of `spec`, params.yaml's, has the shape of one of `wanted`."""
    if _shape(wanted) != _shape(spec):
        raise UserError(
            f"params.yaml: backbone: a sub-net has {in_words(spec)}, but {what} has {in_words(wanted)}; write "
            f"`backbone: {one_line(wanted)}`"
        )


def in_words(spec: Backbone) -> str:
    """A sub-net's shape."""
    stem = f"{spec.stem_type} stem of {spec.stem_width}" if spec.stem_type else "plain stem"
    listed = ("-".join(map(str, values)) for values in (spec.layers, spec.subnet_widths))
    return f"{' '.join((next(listed), spec.block))} blocks of {next(listed)} planes, a {stem}{', avg_down' * spec.avg_down}"


def one_line(spec: Backbone) -> str:
    """As YAML on one line, which params.yaml takes."""
    values = {key: str(value).lower() if isinstance(value, bool) else value for key, value in spec.model_dump().items()}
    return "{" + ", ".join(f"{key}: {value if value != '' else repr('')}" for key, value in values.items()) + "}"


def _shape(spec: Backbone) -> tuple:
    """What decides a sub-net's weights; a stem without a type has one width whatever `stem_width` says."""
    stem = spec.stem_type, spec.stem_width if spec.stem_type else 0
    return spec.block, tuple(spec.layers), spec.subnet_widths, stem, spec.avg_down


def _read_off(network: Any, groups: int) -> Backbone:
    """What `network` looks like; wrong, or one of these errors, where it is another kind of network."""
    stages = [getattr(network, f"layer{i}") for i in range(1, 5)]
    first = stages[0][0]
    bottleneck = hasattr(first, "conv3")
    widths = [(stage[0].conv3.out_channels // 4 if bottleneck else stage[0].conv2.out_channels) for stage in stages]
    deep = isinstance(network.conv1, nn.Sequential)
    last, narrow = (network.conv1[-1], network.conv1[0].out_channels) if deep else (network.conv1, 0)
    stem = last.out_channels // 2 if deep else 64
    group = [_group(width, groups) for width in widths]
    if first.downsample is None:
        group[0] = 0
    return Backbone(
        block="bottleneck" if bottleneck else "basic",
        layers=[len(stage) for stage in stages],
        shared=[width - own for width, own in zip(widths, group)],
        group=group,
        groups=groups,
        stem_type=("deep" if narrow == stem else "deep_tiered") if deep else "",
        stem_width=stem,
        avg_down=len(stages[1][0].downsample) == 3,
    )


def _group(width: int, groups: int) -> int:
    """Planes of a group, so that all of them are half of W_0's: width / (groups + 1), in parts of a sixteenth."""
    share = width // (groups + 1)
    return width // _PARTS * round(_PARTS / (groups + 1)) if width % _PARTS == 0 and groups < _PARTS else share


@torch.no_grad()
def _agree(network: nn.Module, ours: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    """Whether our network with these weights computes the features that `network` does, but for rounding."""
    ours.load_state_dict(state)
    x = torch.rand(2, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    mode, network = network.training, network.eval()
    theirs = network.global_pool(network.forward_features(x))  # type: ignore[operator]
    network.train(mode)
    return torch.allclose(theirs, ours.eval()(x), rtol=1e-4, atol=1e-5)
