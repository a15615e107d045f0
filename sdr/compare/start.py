"""What the baseline starts from: the network that `pretrain.init` names, if a sub-net can be that one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from sdr.compare.compare import CompareSpec
from sdr.compare.ready import get_entry, get_ready
from sdr.nets.adopt import spec_of
from sdr.nets.backbone import Backbone
from sdr.nets.folder import load_timm
from sdr.nets.heads import Heads
from sdr.nets.start import files_of, folder_of
from sdr.ssl.folder import load_network
from sdr.ssl.simsiam import SimSiam

OPTION = "pretrain.init"


class Opened(NamedTuple):
    """A network to start from."""

    backbone: nn.Module
    spec: Backbone  # what to write in params.yaml, so that a sub-net is this network
    head: tuple[SimSiam, Heads] | None  # a network whose projector and predictor belong to it, and their widths
    facts: dict[str, Any]


def open_start(
    init: str, entries: Mapping[str, CompareSpec], groups: int, seed: int, folder: Path, weights: bool = True
) -> Opened:
    """Get the network.

    Args:
        init: `timm:NAME`, a folder (one that timm loads, or the artifacts/baseline of a run, which has a head), or the name of
            an entry.
        entries: of `compare`.
        groups: of the backbone in params.yaml.
        seed: of weights that an entry draws.
        folder: empty, for files on the way.
        weights: false where the shape alone matters: nothing is downloaded then.

    Raises:
        UserError: it cannot be had, or no sub-net could be it.
    """
    given = folder_of(init, entries)
    facts = {"init": init, "files": files_of(given) if given else None}
    if given and "method" in _config(given):
        network, _, config = load_network(given)
        heads = Heads(**config["heads"])
        return Opened(network.backbone, spec_of(network.backbone, groups, init), (network, heads), facts)
    if init in entries:
        given = get_entry(init, entries, seed, folder, weights)
    given = given or get_ready(init, OPTION, folder, weights)
    backbone = load_timm(given)
    return Opened(backbone, spec_of(backbone, groups, init), None, facts | {"network": _config(given).get("sdr")})


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text())
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}
