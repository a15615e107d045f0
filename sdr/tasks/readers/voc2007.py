"""PASCAL VOC2007 classification: twenty classes, several or none an image, with the official train, val and test.

torchvision reads the detection and segmentation annotations of VOC but not its classification labels, which are
read here: ImageSets/Main/CLASS_SPLIT.txt, lines IMAGE FLAG. Flag 1 says that the class is there, -1 that it is not, 0
that all its objects are difficult. As in the protocol 0 counts as absent, where the challenge left such images out;
an image may so have no label at all, and stays.
"""

from pathlib import Path

from sdr.base.errors import UserError
from sdr.corpus.entries import Entry
from sdr.tasks.readers.by_torchvision import fetch
from sdr.tasks.readers.reader import Splits, lines, listed, reader

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_IMAGES = "VOCdevkit/VOC2007/JPEGImages"
_LISTS = "VOCdevkit/VOC2007/ImageSets/Main"


def _read(root: Path) -> Splits:
    return {split: _split(root, split) for split in ("train", "val", "test")}


def _split(root: Path, split: str) -> list[Entry]:
    files = [root / _LISTS / f"{name}_{split}.txt" for name in CLASSES]
    flags = [_flags(path) for path in files]
    for path, of_class in zip(files, flags, strict=True):
        other = sorted(of_class.keys() ^ flags[0].keys())
        if other:
            raise UserError(f"{path}: image {other[0]} is only in one of this list and {files[0].name}")
    pictures = []
    for image in flags[0]:
        present = [name for name, of_class in zip(CLASSES, flags, strict=True) if of_class[image] == "1"]
        pictures.append((root / _IMAGES / f"{image}.jpg", ";".join(present)))
    return listed(root, files[0], pictures)


def _flags(path: Path) -> dict[str, str]:
    """Return the flag of each image of a list: "1", "0" or "-1"."""
    flags = {}
    for place, line in lines(path):
        image, _, flag = line.partition(" ")
        if flag.strip() not in ("1", "0", "-1"):
            raise UserError(f"{place}: {line!r} is not IMAGE and one of 1, 0, -1; unpack the archive again")
        flags[image] = flag.strip()
    return flags


def _fetch(folder: Path) -> None:
    for image_set in ("trainval", "test"):  # an archive each
        fetch("VOCDetection", folder, year="2007", image_set=image_set)


VOC2007 = reader(
    "voc2007",
    _read,
    metric="map",
    n_classes=len(CLASSES),
    sizes={"train": 2501, "val": 2510, "test": 4952},
    folders=(_IMAGES, _LISTS),
    get="unpack VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar of http://host.robots.ox.ac.uk/pascal/VOC/ "
    "there, which makes VOCdevkit/VOC2007",
    fetch=_fetch,
)
