"""Networks on disk: `model.safetensors` and a `config.json` that says how to build them again."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sdr.base.errors import UserError, in_one_line
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.method import build
from sdr.ssl.simsiam import SimSiam

OWN = "own.safetensors"  # parameters of each sub-net's own, where there are any


def save_network(directory: Path, network: SimSiam, spec: Backbone, heads: Heads, **facts: object) -> None:
    """Write the super-net `network` of widths `spec` and its heads into `directory`; `facts` go into the config."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, directory / "model.safetensors")
    if network.own is not None:
        save_file(network.own, directory / OWN)
    config = {
        "method": network.method,
        "backbone": spec.model_dump(),
        "heads": heads.model_dump(),
        "parameters": {"supernet": count(network.backbone)},
        "own": network.own is not None,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in ("torch", "torchvision", "timm")},
        **facts,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_network(directory: str | Path, device: torch.device | None = None) -> tuple[SimSiam, Backbone, dict]:
    """Read back what `save_network` wrote: the network in evaluation mode, its widths, its config.

    Raises:
        UserError: a file is missing, or the weights do not fit the config.
    """
    directory = Path(directory)
    try:
        config = json.loads((directory / "config.json").read_text())
        spec, heads = Backbone(**config["backbone"]), Heads(**config["heads"])
        network = build(config["method"], spec, spec.supernet_widths, heads)
        network.load_state_dict(load_file(directory / "model.safetensors"))
        if config.get("own"):
            network.own = load_file(directory / OWN, device=str(device or "cpu"))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or directory}: not found; run the stage that writes {directory}") from None
    except (KeyError, RuntimeError, ValueError) as error:
        raise UserError(f"{directory}: not a network of this project, or altered: {in_one_line(error)}") from None
    return network.eval().to(device or "cpu").to(memory_format=torch.channels_last), spec, config


def count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters())
