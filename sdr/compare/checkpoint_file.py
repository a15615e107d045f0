"""Checkpoint files of other people, read as data: nothing in them is ever run."""

import argparse
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sdr.base import outputs
from sdr.base.errors import UserError

CHECKPOINTS = "SDR_CHECKPOINTS"  # the folder where they lie
_ENTRIES = ("state_dict", "model", "resnet")  # where training programs keep the network's tensors


def find(name: str) -> Path:
    """Return the file `name` of `$SDR_CHECKPOINTS`; a relative folder is taken from the root of the repository.

    Raises:
        UserError: the variable is not set, or there is no such file.
    """
    value = os.environ.get(CHECKPOINTS)
    if not value:
        raise UserError(f"{CHECKPOINTS} is not set; `export {CHECKPOINTS}=/folder/of/checkpoints`, where {name} lies")
    path = Path(os.environ.get("DVC_ROOT", "."), value, name)
    if not path.is_file():
        raise UserError(f"{path.absolute()}: no such file; put the checkpoint there, or correct {CHECKPOINTS}={value}")
    return path


def sha256(path: Path, expected: str | None = None) -> str:
    """Hash a file.

    Raises:
        UserError: it is not the `expected` hash.
    """
    digest = outputs.sha256(path)
    if expected is not None and digest != expected:
        raise UserError(f"{path}: its sha256 is {digest}, not {expected}; get the file again, or correct `sha256`")
    return digest


def read(path: Path) -> Any:
    """Read what `torch.save` or safetensors wrote: tensors, numbers, text and containers of them.

    `argparse.Namespace`, in which some programs keep their options, is let through: to unpickle one sets the
    attributes of an empty object, and no more. Any other class or function is refused.

    Raises:
        UserError: the file is damaged, of another kind, or holds code.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle's protocols: what cannot be read is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({error}); get the file again") from None
    except Exception as error:  # whatever a damaged or foreign file makes of the unpickler
        code = re.search(r"GLOBAL (\S+)", str(error))
        why = f"it holds more than data: {code[1]}" if code else "damaged, or not a checkpoint of torch"
        raise UserError(
            f"{path}: {why}. Nothing in a file is ever run here: get it again, or, where you trust it, "
            "write its tensors alone, `torch.save({'state_dict': …}, file)`"
        ) from None


def state_dict(content: Any, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of the network in a checkpoint, and the names of the other entries beside them.

    Raises:
        UserError: there are none.
    """
    if isinstance(content, Mapping):
        for entry in _ENTRIES:
            if isinstance(content.get(entry), Mapping):
                return dict(content[entry]), [str(key) for key in content if key != entry]
        if any(isinstance(value, Tensor) for value in content.values()):
            return dict(content), []
    keys = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
    raise UserError(
        f"{path}: no network in it, neither at the top nor as {', '.join(_ENTRIES)}; it holds: {keys[:200]}"
    )
