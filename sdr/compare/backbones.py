"""Any network as a backbone: a folder on disk that says how to build it, and a module in memory.

A folder is timm's own form, `timm.create_model("local-dir:FOLDER", pretrained=True)`, and holds under the key `sdr`
of its config.json what timm need not know. What `sdr.nets.export` writes is loaded as well.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sdr.base.errors import UserError
from sdr.nets.pixels import MEAN, STD

# What timm says of a network's input, and where a user's `in_chans` or `num_classes` would apply.
_INPUT = ("input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
_KEPT = (*_INPUT, "first_conv", "classifier", "pool_size")


class Pixels(nn.Module):
    """Raw RGB in [0, 1], averaged over boxes to `side` × `side` (at most; smaller images stay as they are).

    Images `N×3×S×S`, normalised as `sdr.ssl.views.normalise` does → `N×(3·side²)`, channel by channel.
    """

    def __init__(self, side: int):
        super().__init__()
        self.side = side
        self.adapt = Adapt((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.adapt(x)
        return F.adaptive_avg_pool2d(x, min(self.side, x.shape[-1])).flatten(1)


class Adapt(nn.Module):
    """From ImageNet's normalisation to another one, `N×3×S×S` → `N×3×S×S`; and to the one size that a network takes.

    Args:
        mean, std: of each channel of images in [0, 1].
        size: height and width, or None to keep those of the images.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], size: tuple[int, int] | None):
        super().__init__()
        ours, theirs, self.size = torch.tensor([MEAN, STD]), torch.tensor([mean, std]), size
        scale = (ours[1] / theirs[1]).view(1, 3, 1, 1)
        shift = ((ours[0] - theirs[0]) / theirs[1]).view(1, 3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.scale + self.shift
        if self.size is not None and x.shape[-2:] != self.size:
            x = F.interpolate(x, self.size, mode="bicubic", antialias=True, align_corners=False)
        return x


def save_pixels(directory: Path, side: int, facts: Mapping[str, Any]) -> None:
    """Write the folder of `Pixels(side)`; `facts` go into its config."""
    _write(directory, {"sdr": {"kind": "pixels", "side": side, **facts}})


def save_timm(directory: Path, network: nn.Module, facts: Mapping[str, Any], **model_args: object) -> None:
    """Write timm's `network`, which has no classifier, into the existing `directory`.

    Args:
        network: from `timm.create_model`; its `pretrained_cfg` says how images are normalised for it.
        facts: where it is from.
        model_args: how it was created, other than by its architecture's name.
    """
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, directory / "model.safetensors")
    cfg = network.pretrained_cfg
    config = {
        "architecture": cfg["architecture"],
        "num_classes": 0,
        "num_features": network.num_features,
        "pretrained_cfg": {k: cfg[k] for k in _KEPT if cfg.get(k) is not None} | {"num_classes": 0},
        "model_args": model_args,
        "sdr": {"kind": "timm", **facts},
    }
    _write(directory, config)


def load_backbone(directory: str | Path, device: torch.device) -> nn.Module:
    """Load a network in evaluation mode.

    Returns:
        A module of images `N×3×S×S`, normalised as `sdr.ssl.views.normalise` does, → pooled features `N×D`.

    Raises:
        UserError: there is none, or its files do not belong together.
    """
    config = _read(Path(directory))
    about = config.get("sdr", {"kind": "timm"})  # an export has no such key
    if about["kind"] == "pixels":
        return Pixels(about["side"]).eval().to(device)
    network = _timm(Path(directory))
    cfg = network.pretrained_cfg
    size = tuple(cfg["input_size"][1:]) if cfg.get("fixed_input_size") else None
    if size is not None or (tuple(cfg["mean"]), tuple(cfg["std"])) != (MEAN, STD):
        network = nn.Sequential(Adapt(cfg["mean"], cfg["std"], size), network)
    return network.eval().to(device, memory_format=torch.channels_last)


def load_resnet(directory: str | Path) -> nn.Module:
    """Load the bare timm ResNet, for detection: four stages `layer1` … `layer4`, on the CPU, in evaluation mode.

    It wants images of the mean and deviation in its `pretrained_cfg`, which need not be ImageNet's.

    Raises:
        UserError: there is none, or the network is no ResNet.
    """
    from timm.models.resnet import ResNet

    if "architecture" in _read(Path(directory)):
        network = _timm(Path(directory))
        if isinstance(network, ResNet):
            return network.eval()
    raise UserError(f"{directory}: not a ResNet; detection is for ResNets, so leave this network out of it")


def check_input(cfg: Mapping[str, Any]) -> None:
    """See that timm's `pretrained_cfg` says how three-channel images are normalised.

    Raises:
        ValueError: `mean`, `std` or `input_size` is malformed.
    """
    for key, least in (("mean", -math.inf), ("std", 0)):
        values = cfg.get(key)
        if not isinstance(values, list | tuple) or len(values) != 3 or not all(_number(v, least) for v in values):
            raise ValueError(f"`{key}` should be three numbers, for red, green and blue: {values!r}")
    size = cfg.get("input_size")
    if not isinstance(size, list | tuple) or len(size) != 3 or size[0] != 3 or not all(_number(v, 0) for v in size):
        raise ValueError(f"`input_size` should be 3, height and width: {size!r}")


def _number(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least < value < math.inf


def _timm(directory: Path) -> nn.Module:
    import timm

    try:
        network = timm.create_model(f"local-dir:{directory}", pretrained=False)
        check_input(network.pretrained_cfg)
        network.load_state_dict(load_file(directory / "model.safetensors"))
    except FileNotFoundError:  # safetensors does not say of which file
        file = directory / "model.safetensors"
        raise UserError(f"{file}: not found; run the stage that writes {directory}") from None
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError, SafetensorError) as error:
        raise UserError(f"{directory}: not a network of this project, or altered: {error}") from None
    return network


def _read(directory: Path) -> dict[str, Any]:
    try:
        return json.loads((directory / "config.json").read_text())
    except FileNotFoundError:
        raise UserError(f"{directory}/config.json: not found; run the stage that writes {directory}") from None
    except ValueError as error:
        raise UserError(f"{directory}/config.json: not JSON ({error}); run the stage that writes it") from None


def _write(directory: Path, config: Mapping[str, Any]) -> None:
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
