"""A person's own images: any tree of files, and ImageNet's usual layout."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import Entry, from_file


def tree(root: Path) -> list[Entry]:
    """Return every file below `root`; the domain is the first folder of its path, "all" for files at the top.

    Raises:
        UserError: there is no file, or a folder cannot be read.
    """
    paths = location.files(root)
    if not paths:
        raise UserError(f"{root}: this folder is empty; put images into it (sub-folders are domains)")
    return list(_entries(root, paths))


def imagenet(root: Path) -> list[Entry]:
    """Return ImageNet's training images, ROOT/train/WNID/*.JPEG; the domain is the WNID.

    Raises:
        UserError: there is no such folder, or no image in it.
    """
    train = root / "train"
    if not train.is_dir():
        raise UserError(f"{train}: not found; source `imagenet` expects {location.CORPUS}/train/WNID/*.JPEG")
    paths = [path for path in location.files(train) if path.suffix.lower() in (".jpeg", ".jpg")]
    if not paths:
        raise UserError(f"{train}: no WNID/*.JPEG in it; unpack ILSVRC2012_img_train.tar and its archives there")
    return [entry._replace(domain=Path(entry.origin).parts[1]) for entry in _entries(root, paths)]


def _entries(root: Path, paths: list[Path]) -> Iterator[Entry]:
    for path in paths:
        relative = path.relative_to(root)
        domain = relative.parts[0] if len(relative.parts) > 1 else "all"
        origin = relative.as_posix()
        yield Entry(domain, origin, partial(from_file, path, origin))
