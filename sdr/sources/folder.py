"""A person's own images: any tree of files, and ImageNet's usual layout."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import normal
from sdr.corpus import location
from sdr.corpus.entries import Entry, from_file
from sdr.corpus.walk import walk


def tree(root: Path) -> tuple[list[Entry], list[str]]:
    """Return every file below `root`, and what was left out; the domain is the first folder of a path, "all" at the top.

    Raises:
        UserError: there is no file, or a folder cannot be read.
    """
    found = walk(root)
    if not found.files:
        raise UserError(f"{root}: this folder is empty; put images into it (sub-folders are domains)")
    return list(_entries(root, found.files)), list(found.remarks())


def imagenet(root: Path) -> tuple[list[Entry], list[str]]:
    """Return ImageNet's training images, ROOT/train/WNID/*.JPEG, and what was left out; the domain is the WNID.

    Raises:
        UserError: there is no such folder, or no image in it.
    """
    train = root / "train"
    if not train.is_dir():
        raise UserError(f"{train}: not found; source `imagenet` expects {location.CORPUS}/train/WNID/*.JPEG")
    found = walk(train)
    paths = [f"train/{path}" for path in found.files if path.lower().endswith((".jpeg", ".jpg"))]
    if not paths:
        raise UserError(f"{train}: no WNID/*.JPEG in it; unpack ILSVRC2012_img_train.tar and its archives there")
    entries = [entry._replace(domain=entry.origin.split("/")[1]) for entry in _entries(root, paths)]
    return entries, list(found.remarks())


def _entries(root: Path, paths: Iterable[str]) -> Iterator[Entry]:
    for path in paths:
        domain = path.split("/")[0] if "/" in path else "all"
        yield Entry(normal(domain), path, partial(from_file, root / path, path))
