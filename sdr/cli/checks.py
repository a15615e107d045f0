"""Whether arguments can be right, found out within a second: before torch is imported and before anything is read."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import shown

OURS = "what `sdr route`, `export` or `fit` wrote"
_MADE = ("config.json", "README.md")  # what every directory that these commands write holds


def check_folder(path: Path, holds: str) -> None:
    """Raise UserError unless `path` is a folder that can be read and is not empty.

    Args:
        holds: what it should hold, for the message.
    """
    if not path.exists():
        raise UserError(f"{path}: not found; it should be a folder with {holds}")
    if not path.is_dir():
        raise UserError(f"{path}: a file, not a folder with {holds}; unpack it first if it is an archive")
    if not os.access(path, os.R_OK | os.X_OK):
        raise UserError(f"{path}: this folder cannot be read; check its owner and mode")
    if not any(path.iterdir()):
        raise UserError(f"{path}: this folder is empty; it should hold {holds}")


def check_classes(folder: Path, holds: str = "a sub-folder for each class, with its pictures") -> None:
    """Raise UserError unless `folder` can hold class folders: the splits of a task are none.

    The message has the command to type instead.
    """
    check_folder(folder, holds)
    from sdr.tasks.labelled import splits_taken_for_classes

    if splits := splits_taken_for_classes(folder):
        first = next((name for name in splits if name.lower().startswith("train")), splits[0])
        command = shlex.join(["sdr", *sys.argv[1:]]).replace(
            shlex.quote(str(folder)), shlex.quote(str(folder / first)), 1
        )
        raise UserError(
            f"{shown(folder)}: its sub-folders {', '.join(map(shown, splits))} are the splits of a task, not classes; choose one: "
            f"`{command}`"
        )


def check_supernet(path: Path) -> None:
    """Raise UserError unless `path` can be a trained super-net; `open_bundle` checks its files."""
    check_folder(path, "sdrnet, calibration, backbones and clusters")
    if not (path / "calibration/seal.json").is_file():
        raise UserError(
            f"{path / 'calibration/seal.json'}: not found; --supernet takes what the pipeline trained, `artifacts` say"
        )


def check_backbone(path: Path, option: str = "--backbone", takes: str = OURS) -> dict:
    """Return the config.json of a directory that timm loads.

    Args:
        option, takes: where the path was given, and what is right there, for the message.

    Raises:
        UserError: it is none.
    """
    for file in ("config.json", "model.safetensors"):
        if not (path / file).is_file():
            raise UserError(f"{path / file}: not found; {option} takes {takes}")
    try:
        config = json.loads((path / "config.json").read_text())
        config["architecture"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path / 'config.json'}: not a network's for timm; write the folder again") from None
    return config


def check_ready(name: str, option: str) -> None:
    """Raise UserError unless `name` is `timm:NAME`, or a folder that timm can load; timm is not asked for the name yet."""
    if not name.startswith("timm:"):
        check_backbone(Path(name), option, "timm:NAME, or a folder that timm loads")
    elif not name.removeprefix("timm:").replace(".", "").replace("_", "").isalnum():
        raise UserError(f"{option} {name}: no name of a network of timm's; `timm.list_models()` lists them")


def check_output(path: Path, force: bool) -> None:
    """Raise UserError if something stands at `path` that may not be replaced, or it cannot be written there."""
    if path.exists() and not force:
        raise UserError(f"{path}: is there already; give another name, or --force to replace it")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"{path}: nothing can be written into {above}; give another place")


def check_directory(path: Path, force: bool, *, onnx: bool = False) -> None:
    """The same for a directory; with `force` only one that these commands wrote is replaced.

    Args:
        onnx: whether an ONNX file is asked for, which needs packages of its own.
    """
    check_output(path, force)
    if path.exists() and not _ours(path):
        raise UserError(f"{path}: --force replaces only what this command wrote, and there is something else")
    missing = [name for name in ("onnx", "onnxscript") if onnx and find_spec(name) is None]
    if missing:
        raise UserError(f"--onnx: {' and '.join(missing)} not installed: `pip install onnx onnxscript`")


@contextmanager
def new_directory(path: Path, force: bool) -> Iterator[Path]:
    """Yield an empty directory that becomes `path` if all goes well; refuse to replace one unless `force`."""
    from sdr.base.outputs import output_dir

    check_directory(path, force)
    with output_dir(path) as out:
        yield out


def _ours(path: Path) -> bool:
    return path.is_dir() and (not any(path.iterdir()) or all((path / name).is_file() for name in _MADE))
