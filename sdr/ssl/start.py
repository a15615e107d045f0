"""What a training starts from, on disk: the weights of a backbone, and of a head where there is one that fits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sdr.base.errors import UserError, in_one_line
from sdr.base.randomness import derive
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.byol import Byol
from sdr.ssl.method import Method, build
from sdr.ssl.simsiam import SimSiam

HEAD = ("projector", "predictor")


@dataclass(frozen=True)
class Start:
    """A network to go on from.

    Attributes:
        network: its backbone has the weights that were given.
        new_head: whether projector and predictor were drawn, for want of ones that fit.
    """

    network: SimSiam
    new_head: bool


def save_start(
    directory: Path, backbone: nn.Module, head: tuple[SimSiam, Heads] | None, facts: Mapping[str, Any]
) -> None:
    """Write into the existing `directory`.

    Args:
        backbone: its classifier, if it has one, is left out.
        head: a network whose projector and predictor belong to the backbone, and what they are.
        facts: where it is from.
    """
    state = {f"backbone.{name}": value for name, value in backbone.state_dict().items() if not name.startswith("fc.")}
    said = None
    if head is not None:
        network, heads = head
        state |= {name: value for name, value in network.state_dict().items() if name.partition(".")[0] in HEAD}
        said = {"method": network.method, **heads.model_dump()}
    save_file({name: value.contiguous() for name, value in state.items()}, directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps({**facts, "head": said}, indent=2) + "\n")


def load_start(
    directory: Path, method: Method, spec: Backbone, heads: Heads, seed: int, device: torch.device | str = "cpu"
) -> Start:
    """Read back what `save_start` wrote, as a network of this method and these heads; a head of others is left.

    Args:
        spec: of the network, a super-net that is its only sub-net.
        seed: of a head that is drawn; it is the one that a training from nothing would start with.

    Raises:
        UserError: there is none, or the backbone is another.
    """
    try:
        config, state = json.loads((directory / "config.json").read_text()), load_file(directory / "model.safetensors")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{directory}: no network to start from ({in_one_line(error)}); run `dvc repro start`"
        ) from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        network = build(method, spec, spec.supernet_widths, heads)
    fits = config["head"] == {"method": method, **heads.model_dump()}
    parts = ("backbone", *HEAD) if fits else ("backbone",)
    try:
        for part in parts:
            network.get_submodule(part).load_state_dict(_below(part, state))
    except RuntimeError as error:
        raise UserError(f"{directory}: another network than `backbone` of params.yaml: {in_one_line(error)}") from None
    if isinstance(network, Byol):
        for part, follower in network.followers.items():
            follower.load_state_dict(network.get_submodule(part).state_dict())
    return Start(network.to(device).to(memory_format=torch.channels_last), not fits)


def _below(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}
