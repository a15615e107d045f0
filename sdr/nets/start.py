"""What `pretrain.init` names, told apart without loading anything of it."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError
from sdr.base.outputs import sha256

RANDOM = "random"  # nothing: weights are drawn
PREFIX = "timm:"
WHERE = Path("artifacts/start")  # what the stage `start` makes of it
FILES = ("config.json", "model.safetensors")


def folder_of(init: str, entries: Collection[str]) -> Path | None:
    """Return the folder that `init` names; None for weights that are drawn, a network of timm's or an entry of `compare`.

    Args:
        init: of params.yaml; a relative folder is taken from the root of the repository.
        entries: names in `compare`, which win over folders of the same name.

    Raises:
        UserError: the folder holds no network, or there is none.
    """
    if init == RANDOM or init.startswith(PREFIX) or init in entries:
        return None
    folder = Path(os.environ.get("DVC_ROOT", "."), init)
    if not folder.is_dir():
        listed = f"; entries are {', '.join(entries)}" if entries else ""
        raise UserError(
            f"params.yaml: pretrain.init: {init} is neither {PREFIX}NAME, an entry of `compare` nor a folder{listed}"
        )
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(
                f"params.yaml: pretrain.init: {folder / name}: not found; give a folder that timm loads, as "
                "`timm.models.save_for_hf(model, folder)` writes it, or the artifacts/baseline of a run"
            )
    return folder


def taken() -> dict[str, Any]:
    """What the stage `start` has made: `init`, of a folder the hashes of its `files`, of an `entry` what it said; nothing before it ran."""
    config = WHERE / "config.json"
    facts: dict[str, Any] = json.loads(config.read_text()) if config.is_file() else {}
    return facts


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that a network consists of."""
    return {name: sha256(folder / name) for name in FILES}
