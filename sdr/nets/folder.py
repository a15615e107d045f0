"""Any network as a backbone: a folder on disk that says how to build it, and a module in memory.

A folder is timm's own form: `timm.create_model("local-dir:FOLDER", pretrained=True)`, with `features_only=True` too, loads
it with nothing of this project installed. Under the key `sdr` of its config.json it holds what timm need not know.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from sdr.base.errors import UserError, in_one_line
from sdr.nets.backbone import Backbone
from sdr.nets.pixels import MEAN, STD, Adapt, Pixels

WEIGHTS = "model.safetensors"
_ARCHITECTURE = {"basic": "resnet18", "bottleneck": "resnet50"}  # timm's entry points; the widths are arguments
# What timm says of a network's input, and where a user's `in_chans` or `num_classes` would apply.
_INPUT = ("input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
_KEPT = (*_INPUT, "first_conv", "classifier", "pool_size")


def save_resnet(
    directory: Path,
    network: nn.Module,
    spec: Backbone,
    widths: tuple[int, ...],
    side: int,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write one of our own networks into the existing `directory`.

    Args:
        network: timm's ResNet of `widths` with its batch-norm statistics.
        spec, widths: how it was built.
        side: of the images it is evaluated at, pixels.
        facts: where it is from, under `sdr`.
    """
    cfg = {
        "input_size": [3, side, side],
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "crop_mode": "center",
        "mean": list(MEAN),
        "std": list(STD),
        "first_conv": "conv1.0" if spec.stem_type else "conv1",
        "classifier": "fc",
        "num_classes": 0,
        "pool_size": [max(1, side // 32)] * 2,
    }
    arguments = {
        "layers": list(spec.layers),
        "channels": list(widths),
        "stem_type": spec.stem_type,
        "stem_width": spec.stem_width,
    } | ({"avg_down": True} if spec.avg_down else {})
    _write(directory, network, _ARCHITECTURE[spec.block], cfg, arguments, facts)


def save_timm(directory: Path, network: nn.Module, facts: Mapping[str, Any], **model_args: object) -> None:
    """Write timm's `network`, which has no classifier, into the existing `directory`.

    Args:
        network: from `timm.create_model`; its `pretrained_cfg` says how images are normalised for it.
        facts: where it is from.
        model_args: how it was created, other than by its architecture's name.
    """
    made = _cfg(network)
    cfg, architecture = {key: made[key] for key in _KEPT if made.get(key) is not None}, made["architecture"]
    _write(directory, network, architecture, cfg | {"num_classes": 0}, model_args, {"kind": "timm", **facts})


def save_pixels(directory: Path, side: int, facts: Mapping[str, Any]) -> None:
    """Write the folder of `Pixels(side)`; `facts` go into its config."""
    _write_config(directory, {"sdr": {"kind": "pixels", "side": side, **facts}})


def load_backbone(directory: str | Path, device: torch.device) -> nn.Module:
    """Load a network in evaluation mode.

    Returns:
        A module of images `N×3×S×S`, normalised as `sdr.nets.pixels.normalise` does, → pooled features `N×D`.

    Raises:
        UserError: there is none, or its files do not belong together.
    """
    config = _read(Path(directory))
    about = config.get("sdr", {"kind": "timm"})  # an export has no such key
    if about["kind"] == "pixels":
        return Pixels(about["side"]).eval().to(device)
    network = load_timm(Path(directory))
    cfg = _cfg(network)
    size = tuple(cfg["input_size"][1:]) if cfg.get("fixed_input_size") else None
    if size is not None or (tuple(cfg["mean"]), tuple(cfg["std"])) != (MEAN, STD):
        network = nn.Sequential(Adapt(cfg["mean"], cfg["std"], size), network)
    return network.eval().to(device).to(memory_format=torch.channels_last)


def load_resnet(directory: str | Path) -> nn.Module:
    """Load the bare timm ResNet, for detection: four stages `layer1` … `layer4`, on the CPU, in evaluation mode.

    It wants images of the mean and deviation in its `pretrained_cfg`, which need not be ImageNet's.

    Raises:
        UserError: there is none, or the network is no ResNet.
    """
    from timm.models.resnet import ResNet

    if "architecture" in _read(Path(directory)):
        network = load_timm(Path(directory))
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


def _cfg(network: nn.Module) -> dict[str, Any]:
    """What timm says of a network: its architecture and how images are normalised for it."""
    cfg: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]  # torch takes any attribute for a module
    return cfg


def load_timm(directory: Path) -> nn.Module:
    """Load the bare network of a folder, on the CPU and with the classifier that it may have.

    Raises:
        UserError: there is none, or its files do not belong together.
    """
    import timm

    try:
        network = timm.create_model(f"local-dir:{directory}", pretrained=False)
        check_input(_cfg(network))
        network.load_state_dict(load_file(directory / WEIGHTS))
    except FileNotFoundError:  # safetensors does not say of which file
        file = directory / WEIGHTS
        raise UserError(f"{file}: not found; run the stage that writes {directory}") from None
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError, SafetensorError) as error:
        raise UserError(f"{directory}: not a network of this project, or altered: {in_one_line(error)}") from None
    return network


def _read(directory: Path) -> dict[str, Any]:
    try:
        return json.loads((directory / "config.json").read_text())
    except FileNotFoundError:
        raise UserError(f"{directory}/config.json: not found; run the stage that writes {directory}") from None
    except ValueError as error:
        raise UserError(f"{directory}/config.json: not JSON ({error}); run the stage that writes it") from None


def _write(
    directory: Path,
    network: nn.Module,
    architecture: str,
    cfg: Mapping[str, Any],
    model_args: Mapping[str, Any],
    facts: Mapping[str, Any] | None,
) -> None:
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, directory / WEIGHTS)
    config = {
        "architecture": architecture,
        "num_classes": 0,
        "num_features": network.num_features,
        "pretrained_cfg": cfg,
        "model_args": model_args,
    }
    _write_config(directory, config | ({"sdr": facts} if facts else {}))


def _write_config(directory: Path, config: Mapping[str, Any]) -> None:
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
