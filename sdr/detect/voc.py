"""PASCAL VOC 2007 and 2012: the detection annotations of their Main splits."""

import os
from pathlib import Path

from sdr.base.errors import UserError
from sdr.detect.sets import LISTINGS, SPLITS, Found, Sample
from sdr.detect.voc_xml import labelled, parse

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
DEVKIT = "VOCdevkit"
FOLDERS = ("Annotations", "JPEGImages", "ImageSets/Main")  # of each year
YEARS = ("2007", "2012")
# Images of each list, as published with the challenges.
SIZES = {"2007_train": 2501, "2007_val": 2510, "2007_test": 4952, "2012_train": 5717, "2012_val": 5823}
GET = (
    "get VOCtrainval_06-Nov-2007.tar, VOCtest_06-Nov-2007.tar and VOCtrainval_11-May-2012.tar from "
    "http://host.robots.ox.ac.uk/pascal/VOC/ and unpack all three into the folder that holds VOCdevkit"
)


def read(devkit: Path, classes: tuple[str, ...]) -> Found:
    """Read all annotations; no picture is opened.

    Args:
        devkit: the folder that holds VOC2007 and VOC2012.
        classes: names of the classes; label i is classes[i - 1].

    Raises:
        UserError: a folder, a list or a file is missing, the lists contradict each other, or an annotation
            is malformed.
    """
    lists = {year: _lists(devkit / f"VOC{year}", [p for p in LISTINGS if p[:4] == year]) for year in YEARS}
    found = Found(classes, SPLITS, devkit)
    for listing in LISTINGS:
        folder = devkit / f"VOC{listing[:4]}"
        names = lists[listing[:4]][listing]
        _check_files(folder, listing, names)
        found.listings[listing] = [_sample(folder, name, found) for name in names]
    return found


def _lists(folder: Path, listings: list[str]) -> dict[str, list[str]]:
    """Return the image names of each listing, no name in two of them."""
    for path in (folder, *(folder / name for name in FOLDERS)):
        if not path.is_dir():
            raise UserError(
                f"{path}: not found; it should hold Annotations/*.xml, JPEGImages/*.jpg and "
                f"ImageSets/Main/*.txt, all below {folder}; {GET}"
            )
    names = {listing: _names(folder / f"ImageSets/Main/{listing[5:]}.txt") for listing in listings}
    seen: dict[str, str] = {}
    for listing in listings:
        for name in names[listing]:
            if name in seen:  # 2007's trainval and test lie in the same folders: only these lists tell them apart
                where = (
                    f"{listing[5:]}.txt and {seen[name][5:]}.txt"
                    if seen[name] != listing
                    else f"{listing[5:]}.txt, twice"
                )
                raise UserError(
                    f"{folder / 'ImageSets/Main'}: {name} is in {where}; every image belongs to one list, once; {GET}"
                )
            seen[name] = listing
    trainval = folder / "ImageSets/Main/trainval.txt"
    halves = {name for name, listing in seen.items() if not listing.endswith("test")}
    if odd := sorted(halves ^ set(_names(trainval))):
        raise UserError(
            f"{trainval}: is not train.txt and val.txt together: {len(odd)} images differ, such as {odd[0]}; {GET}"
        )
    return names


def _names(path: Path) -> list[str]:
    try:
        names = [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise UserError(f"{path}: not found; it lists the images of a split, one name a line; {GET}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text file; {GET}") from None
    if not names:
        raise UserError(f"{path}: names no image; {GET}")
    return names


def _check_files(folder: Path, listing: str, names: list[str]) -> None:
    for place, suffix, what in (("Annotations", ".xml", "annotation"), ("JPEGImages", ".jpg", "picture")):
        there = set(os.listdir(folder / place))
        missing = [name for name in names if name + suffix not in there]
        if missing:
            path = folder / place / (missing[0] + suffix)
            raise UserError(
                f"{path}: not found; {len(missing)} of the {len(names)} images of ImageSets/Main/{listing[5:]}.txt "
                f"have no {what}; unpack the archive again, or take them out of the list"
            )


def _sample(folder: Path, name: str, found: Found) -> Sample:
    path = folder / "Annotations" / f"{name}.xml"
    parsed = parse(path, f"{folder.name}/{name}")
    found.note(path, parsed.clipped, parsed.zero)
    return Sample(labelled(path, parsed, found.classes), folder / "JPEGImages" / f"{name}.jpg")
