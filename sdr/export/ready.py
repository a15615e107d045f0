"""Ready backbones, as a command names them: `timm:NAME`, or a folder that timm loads."""

from pathlib import Path

import torch
from torch import nn

from sdr.base.errors import UserError
from sdr.compare.compare import Timm
from sdr.compare.make_backbone import make_backbone
from sdr.export.classifier import open_backbone

PREFIX = "timm:"


def get_ready(text: str, option: str, folder: Path) -> Path:
    """Return the folder of a ready backbone; one of timm's is written into the empty directory `folder`.

    Args:
        text: `timm:NAME`, with or without a tag, or the path of a folder.
        option: what it was given to, for messages.

    Raises:
        UserError: timm has no such network, or its weights cannot be had.
    """
    if not text.startswith(PREFIX):
        return Path(text)
    name = text.removeprefix(PREFIX)
    try:
        make_backbone("ready", Timm(source="timm", model=name), None, 0, folder)
    except UserError as error:
        said = str(error).partition(" Offline:")[0].replace("compare.ready", f"{option} {text}")
        offline = "Offline: save it elsewhere with `timm.models.save_for_hf(model, folder)` and give that folder."
        raise UserError(f"{said} {offline}") from None
    return folder


def open_ready(text: str, option: str, folder: Path, device: torch.device) -> tuple[nn.Module, int]:
    """Return a ready backbone, images `N×3×S×S` normalised as ours are → features `N×D`, and S; see `get_ready`."""
    network, _, side = open_backbone(get_ready(text, option, folder), device)
    return network, side
