"""Caltech101 with 102 classes, the background among them, and the split that the protocol's authors committed.

torchvision's reader leaves BACKGROUND_Google out and has no split, so the lists are read here. They are train.txt
and test.txt of `caltech101-splits` in github.com/linusericsson/ssl-transfer, lines CLASS/image_0001.jpg NUMBER.
That train.txt was drawn with replacement: until October 2023 it had 3,060 lines, of which 2,416 differ; since then it
has those 2,416. Both are accepted. The older list, of which an image may be repeated, is the one that papers up to
then have used.
"""

import re
from pathlib import Path

from sdr.base.errors import UserError
from sdr.tasks.readers.by_torchvision import fetch
from sdr.tasks.readers.reader import Splits, lines, listed, reader

_IMAGES = "caltech101/101_ObjectCategories"
_LISTS = "caltech101/caltech101-splits"
_SOURCE = "https://github.com/linusericsson/ssl-transfer"
_RAW = "https://raw.githubusercontent.com/linusericsson/ssl-transfer"
_COMMIT = "416913f6ab567ac13e974cacc794e20c8be1c607"  # the list of 2,416
_LINE = re.compile(r"([^/]+)/([^/]+) (\d+)")


def _read(root: Path) -> Splits:
    known = {path.name for path in (root / _IMAGES).iterdir() if path.is_dir()}
    numbers: dict[str, str] = {}  # the class of each number
    splits = {}
    for split in ("train", "test"):
        label_file = root / _LISTS / f"{split}.txt"
        pictures = []
        for place, line in lines(label_file):
            match = _LINE.fullmatch(line)
            if match is None:
                raise UserError(f"{place}: {line!r} is not CLASS/IMAGE NUMBER; get it from {_SOURCE}")
            label, image, number = match.groups()
            if label not in known:
                raise UserError(f"{place}: unknown class {label}, {root / _IMAGES} has no such folder")
            if numbers.setdefault(number, label) != label:
                raise UserError(f"{place}: class {label} has number {number}, as {numbers[number]} has")
            pictures.append((root / _IMAGES / label / image, label))
        splits[split] = listed(root, label_file, pictures)
    return splits


def _fetch(folder: Path) -> None:
    from torchvision.datasets.utils import download_url

    fetch("Caltech101", folder)
    for name in ("train.txt", "test.txt"):
        download_url(f"{_RAW}/{_COMMIT}/caltech101-splits/{name}", folder / _LISTS)


CALTECH101 = reader(
    "caltech101",
    _read,
    metric="mean_per_class",
    n_classes=102,
    sizes={"train": 2416, "test": 6728},
    older_sizes={"train": 3060},
    folders=(_IMAGES, f"{_LISTS}/train.txt", f"{_LISTS}/test.txt"),
    get="unpack 101_ObjectCategories.tar.gz of caltech-101.zip of https://data.caltech.edu/records/mzrjq-6wc02 into "
    f"caltech101 there, and put train.txt and test.txt of caltech101-splits of {_SOURCE} into {_LISTS}",
    fetch=_fetch,
)
