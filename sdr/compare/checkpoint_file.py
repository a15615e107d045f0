"""Checkpoint files of other people, read as data: nothing in them is ever run."""

import argparse
import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sdr.base import outputs
from sdr.base.errors import UserError

CHECKPOINTS = "SDR_CHECKPOINTS"  # the folder where they lie
_TOP = "."  # name of the tensors at the top of a checkpoint


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
    """Read what `torch.save` or safetensors wrote, whatever the file is called: tensors, numbers, text and containers.

    `argparse.Namespace`, in which some programs keep their options, is let through: to unpickle one sets the
    attributes of an empty object, and no more. Any other class or function is refused.

    Raises:
        UserError: the file is damaged, of another kind, or holds code.
    """
    try:
        if path.suffix == ".safetensors" or _is_safetensors(path):
            return load_file(path)
        if _is_torchscript(path):
            raise UserError(
                f"{path}: a TorchScript archive, which holds a program: nothing in a file is ever run here. Where you "
                "trust it, write its tensors alone, `torch.save({'state_dict': torch.jit.load(file).state_dict()}, …)`"
            )
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle's protocols: what cannot be read is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({error}); get the file again") from None
    except Exception as error:  # whatever a damaged or foreign file makes of the unpickler
        code = re.search(r"GLOBAL (\S+)", str(error))
        why = f"it holds more than data: {code[1]}" if code else "damaged, or not a checkpoint of torch"
        raise UserError(
            f"{path}: {why}. Nothing in a file is ever run here: get it again, or, where you trust it, "
            "write its tensors alone, `torch.save({'state_dict': …}, file)`"
        ) from None


def state_dict(content: Any, path: Path, entry: str | None = None) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of the network in a checkpoint, and the names of the other entries beside them.

    Args:
        content: of the file.
        path: of the file, for messages.
        entry: which network, where there are several: a key, or keys joined by dots (`.` is the top); None: the only
            one.

    Raises:
        UserError: there is no network, none of this name, or several; names that are no text.
    """
    networks = _networks(content)
    if entry is not None and entry not in networks:
        networks |= {name: found for name, found in _mappings(content) if name == entry}
    if entry is not None and entry not in networks:
        raise UserError(f"{path}: no entry {entry} with a network in it; it holds {_listed(networks, content)}")
    if not networks:
        raise UserError(f"{path}: no network in it: no mapping of names to tensors; it holds {_kinds(content)}")
    if entry is None and len(networks) > 1:
        raise UserError(
            f"{path}: several networks in it: {', '.join(networks)}; say which one is meant, "
            f"`entry: {next(iter(networks))}`"
        )
    chosen = entry or next(iter(networks))
    state = {key: value for key, value in networks[chosen].items() if chosen != _TOP or isinstance(value, Tensor)}
    if odd := [key for key in state if not isinstance(key, str)]:
        raise UserError(f"{path}: names of tensors are text; `{chosen}` has the {type(odd[0]).__name__} {odd[0]!r:.60}")
    parts = content if isinstance(content, Mapping) else {}
    beside = [str(key) for key in parts if str(key) != chosen.partition(".")[0] and key not in state]
    return state, beside


def _is_safetensors(path: Path) -> bool:
    """Whether the file begins as one: the length of a header of JSON, and that header's brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and 0 < int.from_bytes(start[:8], "little") <= path.stat().st_size


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _networks(content: Any) -> dict[str, Mapping]:
    """The networks in a checkpoint by name: mappings with the kernel of a convolution, else with any weight."""
    weighty = {}
    for name, found in _mappings(content):
        weights = [value for key, value in found.items() if str(key).endswith("weight") and isinstance(value, Tensor)]
        if weights:
            weighty[name] = max(value.dim() for value in weights)
    kept = [name for name, dim in weighty.items() if dim == 4] or list(weighty)
    return {name: found for name, found in _mappings(content) if name in kept}


def _mappings(content: Any, name: str = _TOP, depth: int = 3) -> Iterator[tuple[str, Mapping]]:
    """(dotted name, mapping) of all mappings that hold tensors themselves."""
    if not isinstance(content, Mapping):
        return
    if any(isinstance(value, Tensor) for value in content.values()):
        yield name, content
    for key, value in content.items() if depth else ():
        yield from _mappings(value, str(key) if name == _TOP else f"{name}.{key}", depth - 1)


def _listed(networks: Mapping[str, Mapping], content: Any) -> str:
    return ", ".join(networks) if networks else _kinds(content)


def _kinds(content: Any) -> str:
    kind = type(content).__name__
    return ", ".join(map(str, content))[:200] or "nothing" if isinstance(content, Mapping) else f"a {kind}"
